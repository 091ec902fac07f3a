#!/bin/sh
# Outlives the renderer by a moment. The renderer holds the other end of our standard input and never writes: when it
# ends, however it ends, that closes. After an orderly end there is nothing left to do; after SIGKILL there are browsers,
# perhaps stopped ones, that nobody else would end.
trap '' HUP INT TERM
while read -r _; do :; done
for _ in 1 2 3; do
  for file in "$1"/slot-*/pid; do
    if read -r pid <"$file"; then kill -KILL "-$pid"; fi
  done 2>/dev/null
  [ -e "$1" ] || exit 0
  sleep 0.3 # a browser may have been on its way
done
rm -rf "$1"
