// The log: each scan with its steps and the time from one to the next, and what happened to the world.

import { el } from "./dom.js";
import { clockTime, duration, onLanguage, reason, t } from "./i18n.js";
import { on } from "./live.js";

const STEPS = ["seen", "decoded", "asked", "decided", "on_disk", "shown", "sent", "booked"];
const LATER = new Set(["sent", "booked"]);
const ROWS_MAX = 60;

const list = document.getElementById("log");
const said = document.getElementById("said");
const rows = []; // newest first: {kind: "scan", scan} or {kind: "note", ...}
let names = {};

function stepItems(scan) {
  const items = [];
  const known = STEPS.filter((step) => scan.steps[step]).sort((a, b) => scan.steps[a].mono_ms - scan.steps[b].mono_ms || STEPS.indexOf(a) - STEPS.indexOf(b));
  let before = null;
  for (const step of known) {
    const at = scan.steps[step].mono_ms;
    items.push(el("li", { "data-step": step }, t(step === "booked" ? "booked_step" : step), before === null ? null : el("em", {}, `+${duration(Math.max(0, at - before))}`)));
    before = at;
  }
  if (scan.steps.on_disk && reason(scan.reason).mood === "yes") {
    for (const step of STEPS) {
      if (LATER.has(step) && !scan.steps[step] && !scan.steps.booked) items.push(el("li", { class: "todo waiting", "data-todo": step }, t(step === "booked" ? "booked_step" : step)));
    }
  }
  return items;
}

function scanRow({ scan, fresh }) {
  const { mood, text } = reason(scan.reason);
  return el("li", { class: `scan${fresh ? " fresh" : ""}`, "data-scan": scan.id, "data-reason": scan.reason },
    el("div", { class: "scan-head" }, el("span", { class: `verdict ${mood}` }, text || "…"),
      el("b", {}, scan.name || names[scan.campaign] || scan.detail), el("time", {}, clockTime(scan.at_ms))),
    el("ol", { class: "steps" }, ...stepItems(scan)));
}

function noteRow({ note }) {
  const bad = ["died", "failed", "store_failed", "part_failed"].includes(note.code);
  const words = el("span", {}, t(`note_${note.code}`, { ...note, name: note.name ? t(note.name) : "" }));
  if (note.lines) words.append(el("details", {}, el("summary", {}, t("last_lines")), el("pre", { tabindex: "0" }, note.lines)));
  return el("li", { class: `event${bad ? " bad" : ""}` }, words, el("time", {}, clockTime(note.at_ms)));
}

function render() {
  list.dataset.empty = t("log_empty");
  list.replaceChildren(...rows.map((row) => (row.kind === "scan" ? scanRow(row) : noteRow(row))));
}

function put(scan, fresh) {
  const old = rows.find((row) => row.kind === "scan" && row.scan.id === scan.id);
  if (old) {
    const before = old.scan.reason;
    old.scan = scan;
    old.fresh = false;
    if (before !== scan.reason) announce(scan);
  } else {
    rows.unshift({ kind: "scan", scan, fresh });
    if (scan.reason) announce(scan);
  }
  rows.splice(ROWS_MAX);
}

function announce(scan) {
  said.textContent = `${scan.name || names[scan.campaign] || ""} ${reason(scan.reason).text}`;
}

export function note(code, values = {}) {
  rows.unshift({ kind: "note", note: { code, at_ms: Date.now(), ...values } });
  rows.splice(ROWS_MAX);
  render();
}

export function startLog() {
  onLanguage(render);
  on("state", (state) => {
    const before = JSON.stringify(names);
    names = state.campaigns;
    if (JSON.stringify(names) !== before) render();
  });
  on("hello", ({ scans, notes }) => {
    rows.length = 0;
    const all = [...scans.map((scan) => ({ kind: "scan", scan, fresh: false })), ...notes.map((one) => ({ kind: "note", note: one }))];
    all.sort((a, b) => (b.scan ?? b.note).at_ms - (a.scan ?? a.note).at_ms);
    rows.push(...all.slice(0, ROWS_MAX));
    render();
  });
  on("scan", ({ scan }) => {
    put(scan, true);
    render();
  });
  on("note", ({ note: one }) => {
    rows.unshift({ kind: "note", note: one });
    rows.splice(ROWS_MAX);
    render();
  });
}
