// Takes the letters off the page (HIDE is true), or puts them back, so that what lies behind them can be photographed.
(() => {
  if (!globalThis.croLetters) {
    globalThis.croLetters = new CSSStyleSheet();
    croLetters.replaceSync("html * { -webkit-text-fill-color: transparent !important; text-shadow: none !important; "
      + "text-decoration-color: transparent !important; -webkit-text-stroke-color: transparent !important }");
  }
  const others = document.adoptedStyleSheets.filter((sheet) => sheet !== croLetters);
  document.adoptedStyleSheets = HIDE ? [...others, croLetters] : others;
  return "";
})()
