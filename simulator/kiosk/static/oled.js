// The OLED: the unit's own frames, pixel by pixel, with the soft light of the real part.

const WIDTH = 128;
const HEIGHT = 64;
const CELL = 6;

export function draw(canvas, bits) {
  const context = canvas.getContext("2d");
  context.globalCompositeOperation = "source-over";
  context.filter = "none";
  context.fillStyle = "#030506";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.fillStyle = "#b4ecf8";
  for (let y = 0; y < HEIGHT; y += 1) {
    for (let x = 0; x < WIDTH; x += 1) {
      if (bits[(y * WIDTH + x) >> 3] & (0x80 >> (x & 7))) context.fillRect(x * CELL + 0.4, y * CELL + 0.4, CELL - 0.8, CELL - 0.8);
    }
  }
  context.globalCompositeOperation = "lighter";
  context.globalAlpha = 0.3;
  context.filter = "blur(7px)";
  context.drawImage(canvas, 0, 0);
  context.globalAlpha = 1;
  context.filter = "none";
}

export function bytes(base64) {
  return Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
}
