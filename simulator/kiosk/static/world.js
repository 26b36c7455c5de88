// The world around the unit: its network, power, disk and clock, the centre and the broker, and the card slot.

import { el } from "./dom.js";
import { instant, onLanguage, t } from "./i18n.js";
import { call, on } from "./live.js";
import { note } from "./log.js";
import { cardColours } from "./phone.js";

const DAY_MS = 86_400_000;
const ICONS = {
  network: "M4 9a11.5 11.5 0 0 1 16 0M7 12.5a7 7 0 0 1 10 0M10 16a2.8 2.8 0 0 1 4 0M12 19h.01",
  power: "M12 3v8M7 6.5a7 7 0 1 0 10 0",
  disk: "M5 4h11l3 3v13H5zM8 4v5h7V4M8 20v-6h8v6",
  camera: "M4 8h3l2-2.5h6L17 8h3v10H4zM12 10a3 3 0 1 0 0 6 3 3 0 0 0 0-6z",
  clock: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM12 7.5V12l3 2",
  central: "M4 5h16v5H4zM4 14h16v5H4zM7.5 7.5h.01M7.5 16.5h.01",
  bank: "M4 10l8-6 8 6M6 10v8M10 10v8M14 10v8M18 10v8M4 20h16",
  broker: "M12 4v5m0 0-6 6m6-6 6 6M12 4h.01M6 18h.01M18 18h.01",
};

const MODES = ["kiosk", "lane"];
const root = document.getElementById("controls");
const cards = document.getElementById("cards");
const slot = document.getElementById("slot");
let state = null;
let drawn = "";

async function act(path, body) {
  try {
    await call("POST", `/api/world/${path}`, body);
  } catch (error) {
    note("failed", { detail: error.message });
  }
}

function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

function control(name, off, words, ...tools) {
  return el("div", { class: `control${off ? " off" : ""}`, "data-control": name }, icon(name),
    el("span", {}, el("b", {}, t(name)), el("small", {}, words)), el("span", {}, ...tools));
}

function button(id, words, danger, press) {
  return el("button", { type: "button", id, class: `button small${danger ? " danger" : ""}`, onclick: press }, words);
}

const process = (name) => state.processes.find((one) => one.name === name) ?? { state: "off" };

function service(name) {
  const { state: now } = process(name);
  const words = { up: t("central_up"), off: t("stopped"), starting: t("starting"), dead: t("dead") }[now];
  const off = now === "off";
  return control(name, now !== "up", words, button(`toggle-${name}`, off ? t("start") : t("stop"), !off, () => act(`process/${name}`, { run: off })));
}

function clockControl() {
  const choices = [["clock_right", 0], ["clock_day", -DAY_MS], ["clock_1970", "1970"], ["clock_10y", Math.round(3652.5 * DAY_MS)]];
  const group = el("span", { class: "segmented", role: "group", "aria-label": t("clock") },
    ...choices.map(([key, offset]) => el("button", { type: "button", "data-clock": key, "aria-pressed": String(state.clock === key),
      onclick: () => act("clock", { name: key, offset_ms: offset === "1970" ? -Date.now() + 3 * 3_600_000 : offset }) }, t(key))));
  const row = control("clock", state.clock !== "clock_right", instant(Date.now() + state.clock_offset_ms), group);
  row.title = t("clock_note");
  row.classList.add("wide");
  return row;
}

function render() {
  if (!state) return;
  const now = JSON.stringify([state, document.documentElement.lang]);
  if (now === drawn) return;
  drawn = now;
  const focused = root.contains(document.activeElement) ? document.activeElement : null;
  const index = focused && [...root.querySelectorAll("button")].indexOf(focused);
  const cut = state.network === "cut";
  const off = state.power === "off";
  const full = state.disk === "full";
  root.replaceChildren(
    control("network", cut, t(cut ? "network_cut" : "network_on"), button("toggle-network", t(cut ? "heal" : "cut"), !cut, () => act("network", { cut: !cut }))),
    control("power", state.power !== "on", t({ on: "power_on", off: "power_off" }[state.power] ?? "power_starting"), button("toggle-power", t(off ? "plug" : "pull"), !off, () => act("power", { on: off }))),
    control("disk", full, t(full ? "disk_full" : "disk_ok"), button("toggle-disk", t(full ? "free" : "fill"), !full, () => act("disk", { full: !full }))),
    control("camera", state.camera === "out", t(state.camera === "out" ? "camera_out" : "camera_in"), button("toggle-camera", t(state.camera === "out" ? "heal" : "camera_pull"), state.camera !== "out", () => act("camera", { on: state.camera === "out" }))),
    service("central"), service("broker"), service("bank"), clockControl(),
  );
  if (focused) [...root.querySelectorAll("button")][index]?.focus({ preventScroll: true });
  showMode();
  showCards();
}

// What the unit is: a kiosk on its own, or a lane beside a till, which then has the cashier's page.
function showMode() {
  const lane = state.mode === "lane";
  const group = document.getElementById("modes");
  if (!group.children.length) {
    group.replaceChildren(...MODES.map((mode) => el("button", { type: "button", "data-mode": mode, onclick: () => act("mode", { mode }) })));
  }
  for (const node of group.children) {
    node.textContent = t(`mode_${node.dataset.mode}`);
    node.setAttribute("aria-pressed", String(node.dataset.mode === state.mode));
  }
  const till = document.getElementById("till");
  till.href = state.till;
  till.hidden = !lane || state.power !== "on";
  document.getElementById("mode-hint").textContent = till.hidden ? t(lane ? "mode_lane_hint" : "mode_kiosk_hint") : "";
  document.getElementById("push-buttons").hidden = lane;
}

function cardLabel({ name, kind }) {
  if (kind === "member") return name;
  return kind === "new" ? t("card_new", { n: name.replace(/\D+/, "") }) : t(`card_${kind}`);
}

function showCards() {
  slot.classList.toggle("in", state.card !== "");
  if (state.card) {
    const face = cardColours(document.getElementById("slot-card"), state.card);
    const card = state.cards.find(({ name }) => name === state.card);
    face.textContent = card ? cardLabel(card) : "";
    face.dataset.kind = card?.kind ?? "";
  }
  const focused = cards.contains(document.activeElement) ? document.activeElement.dataset.card : "";
  cards.replaceChildren(...state.cards.map((card) =>
    el("button", { type: "button", "aria-pressed": String(state.card === card.name), "data-card": card.name, "data-kind": card.kind,
      onclick: () => act("card", { name: state.card === card.name ? "" : card.name }) }, cardLabel(card))));
  [...cards.children].find((node) => focused && node.dataset.card === focused)?.focus();
}

function health() {
  const names = ["broker", "central", "bank", "unit"];
  document.getElementById("health").replaceChildren(
    ...names.map((name) => {
      const one = process(name);
      const words = { up: t("central_up"), off: t("stopped"), starting: t("starting"), dead: t("dead") }[one.state];
      return el("li", { "data-process": name, "data-state": one.state, title: one.state === "dead" ? `${words}\n${one.death}` : words }, el("i", {}), t(name), el("span", { class: "visually-hidden" }, words));
    }),
  );
}

export function startWorld() {
  document.getElementById("push-buttons").addEventListener("click", ({ target }) => {
    if (target.dataset.button) act("button", { button: Number(target.dataset.button) });
  });
  const qr = document.getElementById("qr");
  on("link", ({ url }) => {
    qr.hidden = !url;
    if (url) qr.href = url;
    else qr.removeAttribute("href");
  });
  const all = () => {
    if (!state) return;
    render();
    health();
  };
  on("state", (next) => {
    state = next;
    document.getElementById("kiosk").dataset.power = state.power;
    all();
  });
  onLanguage(all);
  setInterval(all, 30_000);
}
