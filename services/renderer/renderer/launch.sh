#!/bin/sh
# Stands in for Chromium's binary. Playwright chooses the flags; this chooses the folder and the user, opens a debugging
# port beside Playwright's pipe (Chromium picks a free one), and becomes Chromium, so that its process id is ours.
set -eu
for flag; do
  shift
  case $flag in
    --user-data-dir=*) ;;
    # Playwright switches this protection off, in the middle of a list of things that are better off.
    --disable-features=*ThirdPartyStoragePartitioning,*)
      set -- "$@" "${flag%%ThirdPartyStoragePartitioning,*}${flag#*ThirdPartyStoragePartitioning,}" ;;
    --disable-features=*,ThirdPartyStoragePartitioning)
      set -- "$@" "${flag%,ThirdPartyStoragePartitioning}" ;;
    *) set -- "$@" "$flag" ;;
  esac
done
set -- "$SLOT_BINARY" --user-data-dir="$SLOT_FOLDER/profile" --remote-debugging-port=0 "$@"
echo $$ >"$SLOT_FOLDER/pid"
if [ -n "$SLOT_UID" ]; then
  # Started as root, Chromium would have to give up its sandbox: it gets an unprivileged user instead.
  chown -R "$SLOT_UID:$SLOT_UID" "$SLOT_FOLDER"
  set -- setpriv --reuid="$SLOT_UID" --regid="$SLOT_UID" --clear-groups --inh-caps=-all --bounding-set=-all "$@"
fi
exec env -u SLOT_BINARY -u SLOT_FOLDER -u SLOT_UID "$@"
