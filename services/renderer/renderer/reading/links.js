// Links, and where they lead.

const HANDLER = /^(?:onclick|onmousedown|ontouchstart|@click|v-on:click|x-on:click|ng-click|\(click\)|jsaction|wire:click|hx-(?:get|post|put|delete)|data-(?:bs-)?(?:toggle|target|dismiss|slide|slide-to|action|fancybox|lightbox|open|modal|popup|scroll)|aria-(?:controls|expanded|haspopup|pressed))$/u;

function resolved(href) {
  try {
    return new URL(href, document.baseURI);
  } catch {
    return null;
  }
}

function fragmentExists(fragment) {
  if (!fragment || fragment.toLowerCase() === "top") return true;
  let name = fragment;
  try {
    name = decodeURIComponent(fragment);
  } catch {
    // A broken escape is looked up as it stands.
  }
  return Boolean(one(document, `[id="${CSS.escape(name)}"],a[name="${CSS.escape(name)}"]`));
}

function site(host) {
  return host.toLowerCase().replace(/^www\./u, "");
}

function linkOf(record) {
  const { element, tag } = record;
  if (tag !== "a") return null;
  const raw = attr(element, "href", 4000);
  const handled = attributesOf(element).some((name) => HANDLER.test(name)) || attr(element, "role") === "button";
  const link = { href: raw, kind: "internal", has_handler: handled, target_exists: true };
  const url = resolved(raw);
  if (!has(element, "href") || raw === "") return { ...link, kind: "empty" };
  if (/^javascript:/iu.test(raw)) return { ...link, kind: "script", has_handler: handled || !/^javascript:\s*(?:void\b.*|;*|false;?)$/iu.test(raw) };
  if (/^(?:tel|sms|callto):/iu.test(raw)) return { ...link, kind: "tel" };
  if (/^mailto:/iu.test(raw)) return { ...link, kind: "mailto" };
  if (!url) return { ...link, target_exists: false };
  link.href = url.href;
  const here = new URL(document.URL);
  if (raw.includes("#") && url.href.split("#")[0] === here.href.split("#")[0]) {
    return { ...link, href: raw.startsWith("#") ? raw : url.href, kind: "anchor", target_exists: fragmentExists(url.hash.slice(1)) };
  }
  if (site(url.host) !== site(here.host)) link.kind = "external";
  return link;
}
