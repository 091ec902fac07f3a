// The share of pixels in which two pictures of the same size differ. FIRST and SECOND stand before it, in base64.
(async () => {
  const pixels = async (text) => {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    const bitmap = await createImageBitmap(new Blob([bytes], { type: "image/png" }));
    const sheet = new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d", { willReadFrequently: true });
    sheet.drawImage(bitmap, 0, 0);
    return sheet.getImageData(0, 0, bitmap.width, bitmap.height).data;
  };
  const [first, second] = await Promise.all([pixels(FIRST), pixels(SECOND)]);
  if (first.length !== second.length) return JSON.stringify({ changed: 1 });
  let changed = 0;
  for (let i = 0; i < first.length; i += 4) {
    const step = Math.abs(first[i] - second[i]) + Math.abs(first[i + 1] - second[i + 1]) + Math.abs(first[i + 2] - second[i + 2]);
    if (step > 36) changed += 1;
  }
  return JSON.stringify({ changed: changed / (first.length / 4) });
})()
