// Pixels as the server sends them, on a canvas: {shape: [channels, height, width], pixels: base64}.

import { element } from "./lab.js";

export function drawPixels(canvas, { shape: [channels, height, width], pixels }) {
  const raw = Uint8Array.from(atob(pixels), (letter) => letter.charCodeAt(0));
  const image = new ImageData(width, height);
  const plane = width * height;
  for (let place = 0; place < plane; place += 1) {
    for (let channel = 0; channel < 3; channel += 1) image.data[4 * place + channel] = raw[(channels === 3 ? channel : 0) * plane + place];
    image.data[4 * place + 3] = 255;
  }
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  canvas.getContext("2d").putImageData(image, 0, 0);
}

// A picture of its own, with what it is in words for those who do not see it.
export function picture(pixels, words) {
  const canvas = element("canvas", { role: "img", "aria-label": words });
  drawPixels(canvas, pixels);
  return canvas;
}
