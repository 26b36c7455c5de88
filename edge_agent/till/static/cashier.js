// The cashier's page, over the same interface as any till. The sale's id, its lines and the payment's id are kept by the
// browser before they are sent, so that a reload, or an answer that was lost, says the same thing again.
import { WORDS } from "/static/words.js";

const POLL_MS = 1500, AGAIN_MS = 1500;
const $ = (id) => document.getElementById(id);
const kept = {
  get: (name) => { try { return JSON.parse(localStorage.getItem(`till-${name}`)); } catch { return null; } },
  set: (name, value) => localStorage.setItem(`till-${name}`, JSON.stringify(value)),
  drop: (name) => localStorage.removeItem(`till-${name}`),
};
const newId = () => [...crypto.getRandomValues(new Uint8Array(16))].map((b) => b.toString(16).padStart(2, "0")).join("");

let lang = kept.get("lang"), view = null, busy = 0, queue = Promise.resolve(), token = sessionStorage.getItem("till-token") ?? "";
const w = () => WORDS[lang] ?? WORDS.ja;

// --- the interface ---------------------------------------------------------------------------------------------

class Refused extends Error {
  constructor(problem) { super(problem.reason); this.problem = problem; }
}

async function call(method, path, body) {
  const headers = { ...(body ? { "content-type": "application/json" } : {}), ...(token ? { authorization: `Bearer ${token}` } : {}) };
  const answer = await fetch(path, { method, headers, body: body && JSON.stringify(body) });
  const said = await answer.json();
  if (answer.status === 401) askForToken();
  if (!answer.ok) throw new Refused(said);
  return said;
}

/** Say it until it is answered: every act may be said again. */
async function surely(method, path, body) {
  for (;;) {
    try {
      const said = await call(method, path, body);
      trouble("");
      return said;
    } catch (error) {
      if (error instanceof Refused && error.problem.reason !== "no_answer" && error.problem.reason !== "overloaded") throw error;
      trouble(w().gone);
      await new Promise((done) => setTimeout(done, AGAIN_MS));
    }
  }
}

/** One act after the other, in the order of the keys that were pressed; what is refused is said. */
function act(what) {
  busy += 1;
  lock();
  queue = queue.then(what).catch((error) => {
    if (!(error instanceof Refused)) throw error;
    refused(error.problem);
  }).finally(() => {
    busy -= 1;
    lock();
  });
  return queue;
}

function refused(problem) {
  if (problem.sale) show(problem.sale);
  const failed = problem.reason === "refused" ? problem.sale?.failed : null;
  trouble((failed ?? problem).words[lang]);
  if (problem.reason === "refused") kept.drop("payment");
  if (["sale_cancelled", "unknown_sale"].includes(problem.reason)) kept.drop("payment");
  if (problem.reason === "sale_cancelled") begin();
}

const at = (rest = "") => `/v1/sales/${kept.get("sale")}${rest}`;
const lines = () => kept.get("lines") ?? [];

// --- acts ------------------------------------------------------------------------------------------------------

async function put(changed) {
  kept.set("lines", changed);
  show(await surely("PUT", at(), { lines: changed }));
}

async function pay(tender) {
  const points = Number($("points").value || 0), programme = view.points[0]?.programme ?? 0;
  const payment = kept.get("payment") ?? newId();
  kept.set("payment", payment);
  trouble("");
  let said;
  do {  // a payment that is under way is asked for again
    said = await surely("POST", at("/payment"), { payment, tender, ...(points ? { points, programme } : {}) });
  } while (said.state === "paying");
  show(said);
}

function begin() {
  for (const name of ["lines", "payment", "void"]) kept.drop(name);
  kept.set("sale", newId());
  view = null;
  for (const form of document.querySelectorAll("main form")) form.reset();
  $("points").value = "";
  $("said").hidden = $("taken-back").hidden = true;
  draw();
  $("yen").focus();
}

async function look() {
  if (busy || document.hidden) return;
  try {
    const lane = await call("GET", "/v1/lane");
    trouble("");
    $("till").hidden = view?.state === "paid";
    $("token").hidden = true;
    $("where").textContent = `${lane.site} / ${lane.device}`;
    $("online").textContent = lane.online ? w().online : w().offline;
    $("online").classList.toggle("off", !lane.online);
    if (lang === null) { lang = lane.language === "en" ? "en" : "ja"; draw(); }
    if (lane.sale !== null && lane.sale !== kept.get("sale") && !lines().length) kept.set("sale", lane.sale);
    if (busy || view?.state === "paid" || (!lines().length && lane.sale === null)) return;
    show(await call("GET", at()));
  } catch (error) {
    if (!(error instanceof Refused)) trouble(w().gone);
    else if (error.problem.reason === "unknown_sale" && lines().length) await act(() => put(lines()));  // the lane restarted
    else if (error.problem.reason === "sale_cancelled") begin();
  }
}

// --- what is seen ----------------------------------------------------------------------------------------------

function trouble(text) {
  $("trouble").textContent = text;
  $("trouble").hidden = !text;
}

function askForToken() {
  if (!$("token").hidden) return;
  $("till").hidden = $("receipt").hidden = true;
  $("token").hidden = false;
  $("token-text").focus();
}

function show(sale) {
  const changed = JSON.stringify(sale) !== JSON.stringify(view);
  view = sale;
  if (changed) draw();
}

function lock() {
  for (const id of ["cash", "other"]) $(id).disabled = busy || !(view && view.lines.length);
  $("cancel").disabled = busy || !view;
}

function item(list, name, detail, yen, remove, not = false) {
  const li = document.createElement("li"), text = document.createElement("span"), sum = document.createElement("span");
  text.textContent = name;
  if (detail) text.append(Object.assign(document.createElement("small"), { textContent: detail }));
  sum.className = "yen";
  sum.textContent = yen;
  li.append(text, sum);
  li.classList.toggle("not", not);
  if (remove) {
    const button = Object.assign(document.createElement("button"), { type: "button", className: "quiet", textContent: w().remove });
    button.setAttribute("aria-label", `${w().remove}: ${name}`);
    button.addEventListener("click", remove);
    li.append(button);
  }
  list.append(li);
}

function sums(list, sale) {
  list.replaceChildren();
  const row = (name, value) => {
    const dt = document.createElement("dt"), dd = document.createElement("dd");
    dt.textContent = name;
    dd.textContent = value;
    list.append(dt, dd);
  };
  row(w().subtotal, w().yen(sale.price_yen));
  if (sale.discount_yen) row(w().discount, `−${w().yen(sale.discount_yen)}`);
  for (const part of sale.tax) row(`${w().tax} (${w().rate_of(part.rate_bp)})`, w().yen(part.tax_yen));
  if (sale.paid) {
    if (sale.paid.points) row(w().points_paid, `${sale.paid.points.toLocaleString(lang)} (−${w().yen(sale.paid.points_yen)})`);
    for (const one of sale.points) if (one.earns) row(`${w().earns}: ${one.name}`, one.earns.toLocaleString(lang));
    row(w().to_pay, w().yen(sale.paid.yen));
  }
}

function draw() {
  document.documentElement.lang = lang ?? "ja";
  document.title = w().title;
  for (const node of document.querySelectorAll("[data-word]")) node.textContent = w()[node.dataset.word];
  $("lang").textContent = w().lang;
  const done = view?.state === "paid", open = view && !done ? view : null;
  if ($("token").hidden) $("till").hidden = done;
  const fresh = $("receipt").hidden && done;
  $("receipt").hidden = !done;
  if (done) {
    sums($("receipt-sums"), view);
    if (fresh) $("receipt-h").focus();
  }
  $("lines").replaceChildren();
  lines().forEach((line, index) => {
    const detail = `${line.quantity} × ${w().yen(line.yen / line.quantity)} · ${w().rate_of(line.rate_bp)}`;
    item($("lines"), line.gtin || w().goods, detail, w().yen(line.yen), () => act(() => put(lines().filter((_, i) => i !== index))));
  });
  $("no-lines").hidden = lines().length > 0;
  $("coupons").replaceChildren();
  for (const one of open?.coupons ?? []) {
    const remove = () => act(async () => show(await surely("DELETE", at(`/coupons/${one.id}`))));
    item($("coupons"), one.name, one.counts ? "" : one.words[lang], one.discount_yen ? `−${w().yen(one.discount_yen)}` : "", remove, !one.counts);
  }
  const last = open?.last, inside = (open?.coupons ?? []).some((one) => one.id === last?.id);
  $("said").hidden = !last || inside || last.counts;
  if (last) $("said").textContent = last.words[lang];
  sums($("sums"), open ?? { price_yen: 0, discount_yen: 0, tax: [], points: [] });
  $("amount").textContent = w().yen(open?.total_yen ?? 0);
  $("member").hidden = !open?.member;
  const points = open?.points[0];
  $("points-row").hidden = !points?.spendable;
  $("member-says").textContent = points
    ? `${points.name} · ${w().spendable} ${points.spendable.toLocaleString(lang)} · ${w().earns} ${points.earns.toLocaleString(lang)}` : "";
  if (open?.state === "paying") trouble(w().paying);
  lock();
}

// --- what is pressed -------------------------------------------------------------------------------------------

const on = (id, event, what) => $(id).addEventListener(event, (happened) => { happened.preventDefault(); what(); });
on("goods", "submit", () => {
  const quantity = Number($("quantity").value);
  const line = { yen: Number($("yen").value) * quantity, quantity, rate_bp: Number($("rate").value), gtin: $("gtin").value };
  $("goods").reset();
  $("yen").focus();
  act(async () => {
    const before = lines();
    try {
      await put([...before, line]);
    } catch (error) {
      kept.set("lines", before);
      throw error;
    }
  });
});
on("coupon", "submit", () => {
  const text = $("text").value, format = /^[0-9]{13}$/.test(text) ? "ean13" : "qr";
  $("coupon").reset();
  act(async () => {
    if (!view) await put(lines());
    show((await surely("POST", at("/coupons"), { text, format })).sale);
  });
});
on("cash", "click", () => act(() => pay("cash")));
on("other", "click", () => act(() => pay("other")));
on("cancel", "click", () => act(async () => { await surely("DELETE", at()); begin(); }));
on("next", "click", begin);
on("void", "click", () => confirm(w().sure_void) && act(async () => {
  const id = kept.get("void") ?? newId();
  kept.set("void", id);
  await surely("POST", at("/void"), { id });
  $("taken-back").textContent = w().voided;
  $("taken-back").className = "said yes";
  $("taken-back").hidden = false;
}));
on("lang", "click", () => { lang = lang === "en" ? "ja" : "en"; kept.set("lang", lang); draw(); });
on("token", "submit", () => {
  token = $("token-text").value.trim();
  sessionStorage.setItem("till-token", token);
  look();
});

if (kept.get("sale") === null) kept.set("sale", newId());
draw();
look();
setInterval(look, POLL_MS);
