// The service worker: keeps the logged-in person's coupon pages for when there is no network, and nothing of others.
// What is kept is said by the page that was given out to that person (message "keep"); logging in, logging out and
// erasing the account let go of all of it first.

const FILES = {{ files | tojson }};
const STATIC = "tokuten-static-{{ version }}";
const MINE = "tokuten-mine";
const OFFLINE = "/offline";
const OWNER = "/kept-for"; // no page: under this name the cache remembers whose it is
const KEPT_MAX = 120;
const PATIENCE_MS = 4000; // a network that is there but does not answer is as good as none
const LETS_GO = new Set(["/login", "/logout", "/me/erase", "/register", "/staff"]);
const COUPONS = /^\/coupons(\/[0-9]+)?$/;

self.addEventListener("install", (event) => {
  event.waitUntil(prepare().then(() => self.skipWaiting()));
});

async function prepare() {
  const cache = await caches.open(STATIC);
  await cache.addAll(FILES);
  await cache.put(OFFLINE, await fetch(OFFLINE, { credentials: "omit" }));
}

self.addEventListener("activate", (event) => {
  event.waitUntil(tidy().then(() => self.clients.claim()));
});

async function tidy() {
  for (const name of await caches.keys()) if (name !== STATIC && name !== MINE) await caches.delete(name);
}

self.addEventListener("message", (event) => {
  if (event.data?.keep) event.waitUntil(keep(event.data.owner, event.data.keep));
});

async function keep(owner, paths) {
  const before = await (await caches.match(OWNER, { cacheName: MINE }))?.text();
  if (before !== owner) await caches.delete(MINE);
  const cache = await caches.open(MINE);
  await cache.put(OWNER, new Response(owner));
  const wanted = paths.filter((path) => COUPONS.test(path)).slice(0, KEPT_MAX);
  for (const request of await cache.keys()) {
    const { pathname } = new URL(request.url);
    if (pathname !== OWNER && pathname !== "/coupons" && !wanted.includes(pathname)) await cache.delete(request);
  }
  for (const path of ["/coupons", ...wanted]) {
    if (path !== "/coupons" && (await cache.match(path))) continue;
    const answer = await fetch(path, { redirect: "error" }).catch(() => null);
    if (answer?.ok && answer.headers.get("tokuten-owner") === owner) await cache.put(path, answer);
  }
  for (const client of await self.clients.matchAll()) client.postMessage({ kept: (await cache.keys()).length - 2 });
}

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const { origin, pathname } = new URL(request.url);
  if (origin !== self.location.origin) return;
  if (request.method === "POST" && LETS_GO.has(pathname)) event.respondWith(letGo(request));
  else if (request.method !== "GET") return;
  else if (pathname.startsWith("/static/")) event.respondWith(file(request));
  else if (request.mode === "navigate") event.respondWith(page(request, pathname));
});

async function letGo(request) {
  await caches.delete(MINE);
  const answer = await fetch(request).catch(() => offline());
  await caches.delete(MINE); // what was on its way in the meantime
  return answer;
}

async function file(request) {
  return (await caches.match(request, { cacheName: STATIC })) ?? fetch(request);
}

async function page(request, pathname) {
  const kept = async () => (COUPONS.test(pathname) ? caches.match(pathname, { cacheName: MINE }) : undefined);
  try {
    const answer = await patiently(request);
    if (answer.type !== "opaqueredirect") return answer;
    const own = await kept(); // the session ended: who holds the phone has its coupons all the same
    return own ? asKept(own, "ended") : answer;
  } catch {
    const own = await kept();
    return own ? asKept(own, "away") : offline();
  }
}

// A kept page says on itself that it is one, and why.
async function asKept(answer, why) {
  const html = (await answer.text()).replace(`class="${why}" role="status" hidden`, `class="${why}" role="status"`);
  return new Response(html, { headers: answer.headers });
}

async function offline() {
  return (await caches.match(OFFLINE, { cacheName: STATIC })) ?? Response.error();
}

function patiently(request) {
  return new Promise((resolve, reject) => {
    const tired = setTimeout(reject, PATIENCE_MS);
    fetch(request).then(resolve, reject).finally(() => clearTimeout(tired));
  });
}
