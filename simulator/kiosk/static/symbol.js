// Barcodes on a canvas. The modules come from the server with each coupon ({kind: "qr", rows} or {kind: "ean",
// bars, text}) and are kept on the phone, so that a coupon shows without any network (K4).

const QUIET_QR = 4;
const QUIET_EAN = 10;

export function paint(context, symbol, x, y, size) {
  context.fillStyle = "#fff";
  context.fillRect(x, y, size, size);
  context.fillStyle = "#000";
  if (!symbol) return; // a moving code that was not made yet
  if (symbol.kind === "qr") {
    const count = symbol.rows.length + 2 * QUIET_QR;
    const cell = Math.max(1, Math.floor(size / count));
    const inset = Math.floor((size - cell * symbol.rows.length) / 2);
    symbol.rows.forEach((row, j) => {
      [...row].forEach((bit, i) => {
        if (bit === "1") context.fillRect(x + inset + i * cell, y + inset + j * cell, cell, cell);
      });
    });
    return;
  }
  const cell = Math.max(1, Math.floor(size / (symbol.bars.length + 2 * QUIET_EAN)));
  const inset = Math.floor((size - cell * symbol.bars.length) / 2);
  const height = Math.round(size * 0.52);
  const top = y + Math.round((size - height) / 2) - 14;
  [...symbol.bars].forEach((bit, i) => {
    if (bit === "1") context.fillRect(x + inset + i * cell, top, cell, height);
  });
  context.font = `${Math.round((cell * symbol.bars.length) / symbol.text.length / 0.78)}px ui-monospace, "Noto Sans Mono", Menlo, monospace`;
  context.textAlign = "center";
  context.textBaseline = "top";
  const step = (cell * symbol.bars.length) / symbol.text.length;
  [...symbol.text].forEach((digit, i) => context.fillText(digit, x + inset + (i + 0.5) * step, top + height + 8));
}

export function canvas(symbol, size = 490) {
  const node = document.createElement("canvas");
  node.width = size;
  node.height = size;
  paint(node.getContext("2d"), symbol, 0, 0, size);
  return node;
}
