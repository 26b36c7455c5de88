// What the centre has booked: the newest redemptions, whoever reported them.

import { el } from "./dom.js";
import { duration, flag, instant, onLanguage, t } from "./i18n.js";
import { on } from "./live.js";

const table = document.getElementById("booked");
const note = document.getElementById("booked-note");
let rows = [];
let reachable = true;

function delay(row) {
  const ms = Math.max(0, row.booked_ms - row.at_ms);
  return duration(ms);
}

function render() {
  note.textContent = reachable ? "" : t("booked_gone");
  const heads = ["when", "coupon", "number", "place", "fact", "delay", "flags"];
  const body = rows.map((row) =>
    el("tr", { "data-seq": row.seq }, el("td", {}, instant(row.at_ms)), el("td", {}, row.name), el("td", {}, row.number ? String(row.number) : "—"), el("td", {}, row.place ?? row.site),
      el("td", { class: "mono" }, `${row.device} · ${row.seq}`), el("td", {}, delay(row)), el("td", {}, ...row.flags.map((code) => el("span", { class: "flag" }, flag(code))))));
  if (!rows.length) body.push(el("tr", {}, el("td", { class: "none", colspan: "7" }, t("booked_none"))));
  table.replaceChildren(el("thead", {}, el("tr", {}, ...heads.map((key) => el("th", { scope: "col" }, t(key))))), el("tbody", {}, ...body));
}

export function startBooked() {
  onLanguage(render);
  on("booked", (message) => {
    rows = message.rows;
    reachable = message.reachable;
    render();
  });
  render();
}
