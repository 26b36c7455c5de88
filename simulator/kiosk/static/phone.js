// The phone: who holds it, what it has downloaded (kept in localStorage, shown without any network: K4), what
// it can download (K3), and the coupon that is held up.

import * as camera from "./camera.js";
import { el } from "./dom.js";
import { clockTime, day, instant, lang, onLanguage, t } from "./i18n.js";
import { call, on, Refused } from "./live.js";
import { phonePicture } from "./phone_picture.js";
import { canvas as symbolCanvas } from "./symbol.js";

const REFRESH_MS = 4000;
const RENEW_MS = 500;
const DRAG_STARTS_PX = 6;

const screen = document.getElementById("phone-screen");
const KEPT = "tokuten.phone.";

let people = [];
let centre = ""; // where the person's pages are: points, history, account and all else
let leaflets = []; // printed coupons: nobody's, and never downloaded
let who = localStorage.getItem(`${KEPT}who`) || "";
let kept = read();
let offers = [];
let reachable = true;
let centreUp = true; // as the supervisor knows it: a phone would find out by asking
let open = null; // key of the coupon that fills the screen
let asking = null; // a form in place of the list: {kind: "login", person} or {kind: "ticket", offer}
let trouble = "";
let drawn = "";

function read() {
  try {
    return JSON.parse(localStorage.getItem(KEPT + who)) ?? { token: "", coupons: [] };
  } catch {
    return { token: "", coupons: [] };
  }
}

function keep() {
  if (who) localStorage.setItem(KEPT + who, JSON.stringify(kept));
  localStorage.setItem(`${KEPT}who`, who);
}

export const keyOf = (coupon) => `${who}:${coupon.campaign}:${coupon.text}`;
const person = () => people.find(({ name }) => name === who);
const said = (error) => error.body?.detail?.[lang()] ?? (typeof error.body?.detail === "string" ? error.body.detail : t("refresh_failed"));
const benefit = (coupon) => coupon.benefit?.[lang()] ?? "";
const bearer = () => ({ Authorization: `Bearer ${kept.token}` });

export function cardColours(node, name) {
  const found = people.find((one) => one.name === name);
  node.style.setProperty("--card-a", found?.colours[0] ?? "#8a97a5");
  node.style.setProperty("--card-b", found?.colours[1] ?? "#56616c");
  return node;
}

// --- talking to the centre ------------------------------------------------------------------------------

// A code that moves is made anew by the phone itself, with its own key and without the centre. What is held up is
// held up anew with it.
async function renew() {
  const now = Date.now();
  const due = kept.coupons.filter((one) => one.moving && one.state !== "used" && !(one.until_ms > now));
  if (!due.length) return;
  const asked = who;
  for (const coupon of due) {
    try {
      const made = await call("POST", "/api/phone/screen", { name: who, ticket: coupon.text });
      if (asked !== who) return;
      Object.assign(kept.coupons.find((one) => one.text === coupon.text) ?? {}, made);
    } catch {
      continue; // the page's server is away: the next tick asks again
    }
  }
  keep();
  render();
  const held = kept.coupons.find((one) => keyOf(one) === camera.holding());
  if (held && due.some((one) => one.text === held.text)) await camera.renew(await pictureBlob(held));
}

// What the centre says of the coupons, with the codes that the phone made.
function merged(rows) {
  return rows.map((row) => {
    const mine = row.moving && kept.coupons.find((one) => one.text === row.text);
    return mine ? { ...row, symbol: mine.symbol, until_ms: mine.until_ms } : row;
  });
}

export async function refresh() {
  if (!who || !kept.token) return;
  if (!centreUp) {
    reachable = false;
    return render();
  }
  const asked = who;
  try {
    const [mine, all] = await Promise.all([call("GET", "/api/phone/mine", undefined, bearer()), call("GET", "/api/phone/coupons")]);
    if (asked !== who) return;
    kept.coupons = merged(mine);
    offers = all;
    reachable = true;
    keep();
  } catch (error) {
    if (asked !== who) return;
    if (error instanceof Refused && error.status === 401) {
      kept.token = "";
      asking = { kind: "login", person: person() };
    } else reachable = false;
  }
  await renew();
  render();
}

async function logIn(name, password) {
  try {
    const { token } = await call("POST", "/api/phone/session", { name, password });
    who = name;
    kept = { ...read(), token };
    asking = null;
    trouble = "";
    reachable = true;
    keep();
    await refresh();
  } catch (error) {
    trouble = said(error);
    render();
  }
}

async function download(offer, password) {
  try {
    const wish = { campaign: offer.id, name: who, ...(password ? { password } : {}) };
    const coupon = await call("POST", "/api/phone/mine", wish, bearer());
    asking = null;
    trouble = "";
    kept.coupons = [coupon, ...kept.coupons.filter((one) => keyOf(one) !== keyOf(coupon))];
    keep();
    open = keyOf(coupon);
    await renew();
    render();
    refresh();
  } catch (error) {
    trouble = said(error);
    render();
  }
}

// --- holding it up ------------------------------------------------------------------------------------

function pictureBlob(coupon) {
  return new Promise((done) => phonePicture(coupon, benefit(coupon)).toBlob(done, "image/png"));
}

async function toggleHold(coupon) {
  if (camera.holding() === keyOf(coupon)) return camera.takeAway();
  await camera.hold(keyOf(coupon), await pictureBlob(coupon));
  if (matchMedia("(max-width: 799px)").matches) document.getElementById("kiosk").scrollIntoView({ block: "start" });
  return undefined;
}

function draggable(node, coupon) {
  node.addEventListener("pointerdown", (down) => {
    if (down.button !== 0) return;
    let ghost = null;
    let inside = false;
    const move = async (event) => {
      const far = Math.hypot(event.clientX - down.clientX, event.clientY - down.clientY);
      if (!ghost && far < DRAG_STARTS_PX) return;
      if (!ghost) {
        ghost = phonePicture(coupon, benefit(coupon));
        ghost.className = "ghost";
        document.body.append(ghost);
      }
      ghost.style.transform = `translate(${event.clientX - 66}px, ${event.clientY - 96}px)`;
      const spot = camera.place(event.clientX, event.clientY);
      ghost.style.opacity = spot.inside ? "0.25" : "1";
      camera.mark(spot.inside);
      if (spot.inside && !inside) {
        inside = true;
        await camera.hold(keyOf(coupon), await pictureBlob(coupon), { x: spot.x, y: spot.y });
      } else if (spot.inside) camera.setPose({ x: spot.x, y: spot.y });
      else if (inside) {
        inside = false;
        camera.takeAway();
      }
    };
    const up = () => {
      ghost?.remove();
      camera.mark(false);
      removeEventListener("pointermove", move);
      removeEventListener("pointerup", up);
      removeEventListener("pointercancel", up);
    };
    addEventListener("pointermove", move);
    addEventListener("pointerup", up);
    addEventListener("pointercancel", up);
  });
}

// --- what is on the screen ----------------------------------------------------------------------------

function chooser() {
  return el("div", { class: "who" }, el("h3", {}, t("who")), el("p", {}, t("who_hint")),
    ...people.map((one) =>
      el("button", { type: "button", class: "person", "data-person": one.name, onclick: () => {
        asking = { kind: "login", person: one };
        trouble = "";
        render();
      } }, cardColours(el("span", { class: "avatar", "aria-hidden": "true" }, one.name), one.name),
        el("span", {}, el("b", {}, one.name), el("small", {}, one.about[lang()])))));
}

function passwordForm(title, hint, button, submit, cancel) {
  const input = el("input", { type: "password", value: asking.person?.password ?? person()?.password ?? "", autocomplete: "off", id: "phone-password" });
  return el("form", { class: "who", onsubmit: (event) => {
    event.preventDefault();
    submit(input.value);
  } }, el("h3", {}, title), el("p", {}, hint), trouble && el("p", { class: "note bad", role: "alert" }, trouble),
    el("label", { for: "phone-password" }, t("password")), input,
    el("button", { type: "submit", class: "button primary" }, button),
    el("button", { type: "button", class: "text-button", onclick: cancel }, t("cancel")));
}

function stateTag(coupon) {
  return el("span", { class: `state-tag ${coupon.state}` }, t(coupon.state));
}

function ticket(coupon) {
  const thumb = symbolCanvas(coupon.symbol, 162);
  return el("button", { type: "button", class: `ticket ${coupon.state}`, "data-campaign": coupon.campaign, onclick: () => {
    open = keyOf(coupon);
    render();
  } }, el("span", { class: "thumb", "aria-hidden": "true" }, thumb),
    el("span", {}, el("b", {}, coupon.name), el("small", { class: "benefit" }, benefit(coupon)),
      el("small", {}, stateTag(coupon), coupon.number ? ` No. ${coupon.number}` : "")));
}

function offerRow(offer) {
  const facts = [offer.stock_left === null ? "" : t("left", { n: offer.stock_left }), offer.download_ends_ms === null ? "" : t("until", { d: day(offer.download_ends_ms) })];
  return el("div", { class: "ticket offer" },
    el("span", {}, el("b", {}, offer.name), el("small", { class: "benefit" }, benefit(offer)), el("small", {}, facts.filter(Boolean).join(" · "))),
    el("button", { type: "button", class: "button small", "data-offer": offer.id, "aria-label": `${t("download")}: ${offer.name}`, disabled: !reachable, onclick: () => {
      if (!offer.strong_auth) return download(offer);
      asking = { kind: "ticket", offer };
      trouble = "";
      return render();
    } }, t("download")));
}

function list() {
  const order = { unused: 0, untracked: 1, used: 2 };
  const mine = [...kept.coupons].sort((a, b) => order[a.state] - order[b.state] || b.downloaded_ms - a.downloaded_ms);
  return el("div", {}, appBar(), !reachable && el("p", { class: "note" }, t("offline_note")), trouble && el("p", { class: "note bad", role: "alert" }, trouble),
    el("h3", { class: "list-title" }, t("mine")), ...(mine.length ? mine.map(ticket) : [el("p", {}, t("mine_none"))]),
    el("h3", { class: "list-title" }, t("offers")), ...(offers.length ? offers.map(offerRow) : [el("p", {}, t("offers_none"))]),
    el("h3", { class: "list-title" }, t("leaflets")), ...leaflets.map(ticket));
}

function appBar() {
  return el("div", { class: "app-bar" }, cardColours(el("span", { class: "avatar", "aria-hidden": "true" }, who), who), el("b", {}, who),
    el("a", { class: "text-button", id: "my-page", href: `${centre}/points`, target: "_blank", rel: "noopener", title: t("my_page_why", { password: person()?.password ?? "" }) }, t("my_page")),
    el("button", { type: "button", class: "text-button", id: "switch-person", onclick: () => {
      who = "";
      kept = { token: "", coupons: [] };
      offers = [];
      open = null;
      keep();
      render();
    } }, t("log_out")));
}

function couponView(coupon) {
  const symbol = el("div", { class: "symbol", title: t("hold") }, symbolCanvas(coupon.symbol, 490));
  draggable(symbol, coupon);
  const up = camera.holding() === keyOf(coupon);
  const row = (label, value) => value ? [el("dt", {}, label), el("dd", {}, value)] : [];
  return el("div", { class: "coupon" },
    el("button", { type: "button", class: "text-button back", onclick: () => {
      open = null;
      render();
    } }, `‹ ${t("back")}`),
    el("h3", {}, coupon.name), el("p", { class: "benefit" }, benefit(coupon), " ", stateTag(coupon)), symbol,
    coupon.moving && el("p", { class: "note moving" }, t("moving")),
    el("button", { type: "button", id: "hold", class: `button ${up ? "" : "primary"}`, "aria-pressed": String(up), onclick: () => toggleHold(coupon) }, up ? t("take_away") : t("hold")),
    el("dl", {}, ...row(t("number"), coupon.number && String(coupon.number)), ...row(t("expires"), coupon.expires_ms && day(coupon.expires_ms)),
      ...row(t("downloaded"), coupon.downloaded_ms && day(coupon.downloaded_ms)),
      ...row(t("used_at"), coupon.used_ms && `${instant(coupon.used_ms)} ${coupon.used_place ?? ""}`)));
}

function content() {
  if (asking?.kind === "login" && asking.person) {
    const one = asking.person;
    return passwordForm(one.name, t("demo_password"), t("log_in"), (password) => logIn(one.name, password), () => {
      asking = null;
      if (!kept.token) who = "";
      render();
    });
  }
  if (!who || !people.length) return chooser();
  if (asking?.kind === "ticket") {
    return passwordForm(asking.offer.name, t("strong"), t("download"), (password) => download(asking.offer, password), () => {
      asking = null;
      render();
    });
  }
  const shown = [...kept.coupons, ...leaflets].find((coupon) => keyOf(coupon) === open);
  return shown ? couponView(shown) : list();
}

// Draws only what changed, so that focus and scroll stay where they are while the list refreshes itself.
function render() {
  const net = document.getElementById("phone-net");
  net.textContent = who ? t(reachable ? "online_phone" : "offline_phone") : "";
  const now = JSON.stringify([who, people, kept.coupons, offers, reachable, open, asking, trouble, lang(), camera.holding()]);
  if (now === drawn) return;
  const before = drawn ? JSON.parse(drawn) : [];
  const same = before[0] === who && before[5] === open && JSON.stringify(before[6]) === JSON.stringify(asking);
  drawn = now;
  const top = screen.scrollTop;
  const focused = screen.contains(document.activeElement) ? document.activeElement : null;
  const again = focused && [...screen.querySelectorAll("button, input")].indexOf(focused);
  screen.replaceChildren(content());
  screen.scrollTop = same ? top : 0;
  if (focused) [...screen.querySelectorAll("button, input")][same ? again : 0]?.focus({ preventScroll: true });
}

function tick() {
  document.getElementById("phone-time").textContent = clockTime(Date.now()).slice(0, 5);
}

export function startPhone(knownPeople, printed, address) {
  people = knownPeople;
  centre = address;
  leaflets = printed.map((one) => ({ ...one, number: null, state: "untracked", downloaded_ms: 0, expires_ms: null, used_ms: null }));
  if (who && !person()) who = "";
  if (who && !kept.token) asking = { kind: "login", person: person() };
  onLanguage(render);
  camera.onHold(render);
  on("booked", () => refresh());
  on("state", ({ processes }) => {
    const up = processes.find(({ name }) => name === "central")?.state === "up";
    if (up === centreUp) return;
    centreUp = up;
    refresh();
  });
  tick();
  setInterval(tick, 5000);
  setInterval(refresh, REFRESH_MS);
  setInterval(renew, RENEW_MS);
  render();
  refresh();
}
