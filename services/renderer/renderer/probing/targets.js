// Asks where links lead, and loads the preview picture. LINKS, IMAGE and LIMIT_MS stand before it.
(async () => {
  const ask = async (href) => {
    try {
      const options = { method: "HEAD", credentials: "omit", redirect: "follow", signal: AbortSignal.timeout(LIMIT_MS) };
      return (await fetch(href, options)).status;
    } catch {
      return 0;
    }
  };
  const load = (src) => new Promise((done) => {
    if (!src) done(null);
    const picture = new Image();
    picture.onload = () => done(picture.naturalWidth > 0);
    picture.onerror = () => done(false);
    picture.referrerPolicy = "no-referrer";
    setTimeout(() => done(null), LIMIT_MS);
    picture.src = src;
  });
  const [image, ...statuses] = await Promise.all([load(IMAGE), ...LINKS.map(ask)]);
  return JSON.stringify({ image, statuses });
})()
