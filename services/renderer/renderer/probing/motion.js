// What in the first screen may move by itself, and what may sound.
(() => {
  const LONGEST_S = 5; // WCAG 2.2.2: what ends within five seconds needs no way to stop it
  const SOUND_S = 3; // WCAG 1.4.2
  const shows = (node, least) => {
    const { left, top, right, bottom, width, height } = node.getBoundingClientRect();
    const inside = right > 0 && bottom > 0 && left < innerWidth && top < innerHeight;
    return inside && width * height >= least && node.checkVisibility({ opacityProperty: true, visibilityProperty: true });
  };
  const all = (selector) => [...document.querySelectorAll(selector)].slice(0, 500);
  const long = (video) => video.loop || !(video.duration <= LONGEST_S);
  const videos = all("video").filter((video) => shows(video, 2500) && (!video.paused || video.autoplay) && long(video));
  const runs = (animation) => {
    const { target } = animation.effect ?? {};
    if (animation.playState !== "running" || !target || !shows(target, 1000)) return false;
    const { endTime, localTime } = animation.effect.getComputedTiming();
    return (endTime - (localTime ?? 0)) / 1000 > LONGEST_S;
  };
  const carousels = '[data-bs-ride="carousel"],[data-ride="carousel"],[data-autoplay="true"],.slick-initialized,'
    + ".swiper-initialized,.owl-loaded,.splide.is-active,.glide--carousel,.flexslider,[aria-roledescription='carousel' i]";
  const film = (image) => /\.gif(?:$|[?#])|^data:image\/gif/iu.test(image.currentSrc || image.src);
  const moved = globalThis.croObserved?.moves ?? { count: 0, last: 0 };
  const signs = {
    video: videos.length > 0,
    animation: document.getAnimations().slice(0, 2000).some(runs),
    carousel: all(carousels).some((node) => shows(node, 2500)),
    marquee: all("marquee").some((node) => shows(node, 500)),
    image: all("img").some((image) => film(image) && shows(image, 2500)),
    canvas: all("canvas").some((node) => shows(node, 40000)),
    script: moved.count >= 20 && performance.now() - moved.last < 300,
  };
  const sounds = (media) => media.autoplay && !media.muted && media.volume > 0
    && Boolean(media.currentSrc || media.getAttribute("src") || media.querySelector("source")) && !(media.duration <= SOUND_S);
  const sounding = all("audio,video").filter(sounds);
  return JSON.stringify({
    suspected: Object.keys(signs).filter((name) => signs[name]),
    native_controls: videos.length > 0 && videos.every((video) => video.controls),
    sounding: sounding.length,
    sounding_selectors: sounding.slice(0, 5).map((node) => `${node.localName}${node.id ? `#${node.id}` : ""}`),
  });
})()
