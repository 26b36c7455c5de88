// What the camera gets to see of the phone: its face as a picture, with the coupon on the screen.

import { canvas as symbolCanvas } from "./symbol.js";

const WIDTH = 620;
const HEIGHT = 900;

function rounded(context, x, y, width, height, radius) {
  context.beginPath();
  context.roundRect(x, y, width, height, radius);
  context.fill();
}

function fitted(context, text, most, size, weight) {
  let px = size;
  do {
    context.font = `${weight} ${px}px system-ui, "Hiragino Sans", "Noto Sans CJK JP", sans-serif`;
    px -= 2;
  } while (context.measureText(text).width > most && px > 16);
}

export function phonePicture(coupon, benefit) {
  const node = document.createElement("canvas");
  node.width = WIDTH;
  node.height = HEIGHT;
  const context = node.getContext("2d");
  context.fillStyle = "#141517"; // what shows beside the rounded corners
  context.fillRect(0, 0, WIDTH, HEIGHT);
  context.fillStyle = "#1b1d20";
  rounded(context, 0, 0, WIDTH, HEIGHT, 76);
  context.fillStyle = "#fbfaf7";
  rounded(context, 20, 20, WIDTH - 40, HEIGHT - 40, 58);
  context.fillStyle = "#111";
  rounded(context, WIDTH / 2 - 66, 38, 132, 32, 16);
  context.fillStyle = "#1f2328";
  context.textAlign = "center";
  context.textBaseline = "alphabetic";
  fitted(context, coupon.name, WIDTH - 110, 40, 600);
  context.fillText(coupon.name, WIDTH / 2, 146);
  context.fillStyle = "#b03a22";
  fitted(context, benefit, WIDTH - 130, 30, 600);
  context.fillText(benefit, WIDTH / 2, 196);
  context.drawImage(symbolCanvas(coupon.symbol, 540), 40, 226);
  if (coupon.number) {
    context.fillStyle = "#565d66";
    fitted(context, `No. ${coupon.number}`, WIDTH - 130, 28, 500);
    context.fillText(`No. ${coupon.number}`, WIDTH / 2, 826);
  }
  return node;
}
