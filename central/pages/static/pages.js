// What pages do beyond HTML: keep this person's coupons for offline use, say so, and send no form twice.
(() => {
  "use strict";
  const away = document.querySelector(".away");
  // A page from the worker's cache says so by itself, also where the network seems to be there.
  addEventListener("online", () => { away.hidden = true; });
  addEventListener("offline", () => { away.hidden = false; });

  document.addEventListener("submit", (event) => {
    const button = event.submitter;
    if (button && !event.defaultPrevented) setTimeout(() => { button.disabled = true; });
  });
  addEventListener("pageshow", () => document.querySelectorAll("button:disabled").forEach((one) => { one.disabled = false; }));

  for (const form of document.querySelectorAll("form[data-kinds]")) {
    const show = () => {
      const kind = form.querySelector("[name=kind]:checked")?.value ?? "";
      for (const one of form.querySelectorAll("[data-for]")) one.hidden = !one.dataset.for.split(" ").includes(kind);
    };
    form.addEventListener("change", show);
    show();
  }

  if (!("serviceWorker" in navigator)) return;
  const kept = document.querySelector(".kept");
  navigator.serviceWorker.addEventListener("message", ({ data }) => {
    if (kept && data?.kept > 0) { kept.hidden = false; kept.dataset.kept = data.kept; }
  });
  navigator.serviceWorker.register("/worker.js").then(async () => {
    const wallet = document.querySelector("[data-wallet]");
    const owner = document.body.dataset.owner;
    if (!wallet || !owner || !navigator.onLine) return;
    const keep = [...wallet.querySelectorAll("a[data-keep]")].map((one) => new URL(one.href).pathname);
    const { active } = await navigator.serviceWorker.ready;
    active?.postMessage({ owner, keep });
  }).catch(() => {}); // without it the pages work all the same, but not offline
})();
