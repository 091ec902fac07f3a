// Colours as [red, green, blue, alpha], 0 to 255 and 0 to 1, and what one of them over another gives.

const CLEAR = [0, 0, 0, 0];
const WHITE = [255, 255, 255, 1];
const known = new Map();
let canvas = null;

function paintOnce(text) {
  // lab(), oklch(), color(): only the browser can turn them into sRGB.
  canvas ??= new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  if (!canvas) return CLEAR;
  canvas.clearRect(0, 0, 1, 1);
  canvas.fillStyle = "rgba(0, 0, 0, 0)";
  canvas.fillStyle = text;
  canvas.fillRect(0, 0, 1, 1);
  const [red, green, blue, alpha] = canvas.getImageData(0, 0, 1, 1).data;
  return [red, green, blue, alpha / 255];
}

function colour(text) {
  let value = known.get(text);
  if (!value) {
    const plain = /^rgba?\(\s*([\d.]+),\s*([\d.]+),\s*([\d.]+)(?:,\s*([\d.]+))?\s*\)$/u.exec(text);
    value = plain ? [+plain[1], +plain[2], +plain[3], plain[4] === undefined ? 1 : +plain[4]] : paintOnce(text);
    if (known.size < 5000) known.set(text, value);
  }
  return value;
}

function over(top, below) {
  if (top[3] >= 0.999) return top;
  if (top[3] <= 0) return below;
  const alpha = top[3] + below[3] * (1 - top[3]);
  const mix = (i) => (top[i] * top[3] + below[i] * below[3] * (1 - top[3])) / alpha;
  return [mix(0), mix(1), mix(2), alpha];
}

const fade = (value, opacity) => (opacity >= 1 ? value : [value[0], value[1], value[2], value[3] * opacity]);

function hex(value) {
  const pair = (part) => Math.max(0, Math.min(255, Math.round(part))).toString(16).padStart(2, "0");
  return `#${pair(value[0])}${pair(value[1])}${pair(value[2])}`;
}

function luminance(value) {
  // WCAG 2.2, "relative luminance".
  const part = (i) => {
    const share = value[i] / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  };
  return 0.2126 * part(0) + 0.7152 * part(1) + 0.0722 * part(2);
}

function contrast(one_, other) {
  const [low, high] = [luminance(one_), luminance(other)].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
}

function gradient(image) {
  // The average of a gradient's stops: none of its colours, but close to most of it.
  const stops = image.match(/(?:rgba?|hsla?|oklch|oklab|lab|lch|color)\([^()]*\)|#[\da-f]{3,8}\b/giu) ?? [];
  if (!stops.length) return CLEAR;
  const sum = [0, 0, 0, 0];
  for (const stop of stops.slice(0, 12)) {
    const value = colour(stop);
    for (let i = 0; i < 3; i += 1) sum[i] += value[i] * value[3];
    sum[3] += value[3];
  }
  const count = Math.min(stops.length, 12);
  return sum[3] ? [sum[0] / sum[3], sum[1] / sum[3], sum[2] / sum[3], sum[3] / count] : CLEAR;
}
