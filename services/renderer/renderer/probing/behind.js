// Contrast of text colours with the pixels behind them. PICTURE (base64), TEXTS ([[r, g, b], [x, y, width, height]] in
// the picture's pixels) and SHARE stand before it: the ratio that SHARE of the pixels stay below.
(async () => {
  const bytes = Uint8Array.from(atob(PICTURE), (letter) => letter.charCodeAt(0));
  const bitmap = await createImageBitmap(new Blob([bytes], { type: "image/png" }));
  const sheet = new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d", { willReadFrequently: true });
  sheet.drawImage(bitmap, 0, 0);
  const part = (value) => {
    const share = value / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  };
  const light = (r, g, b) => 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  const measure = ([ink, [x, y, width, height]]) => {
    const left = Math.max(0, Math.round(x));
    const top = Math.max(0, Math.round(y));
    const wide = Math.min(Math.round(width), bitmap.width - left);
    const high = Math.min(Math.round(height), bitmap.height - top);
    if (wide < 1 || high < 1) return null;
    const { data } = sheet.getImageData(left, top, wide, high);
    const own = light(...ink);
    const step = 4 * Math.max(1, Math.floor(data.length / 4 / 3000));
    const ratios = [];
    for (let i = 0; i < data.length; i += step) {
      const other = light(data[i], data[i + 1], data[i + 2]);
      ratios.push((Math.max(own, other) + 0.05) / (Math.min(own, other) + 0.05));
    }
    return ratios.sort((a, b) => a - b)[Math.floor(ratios.length * SHARE)];
  };
  return JSON.stringify(TEXTS.map(measure));
})()
