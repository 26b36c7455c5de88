// Starts the page: fetches what stands still (people, addresses), then listens to the live line.

import { startBooked } from "./booked.js";
import { startCamera } from "./camera.js";
import { el } from "./dom.js";
import { apply, onLanguage, setLanguage, t } from "./i18n.js";
import { call, connect, on } from "./live.js";
import { note, startLog } from "./log.js";
import { bytes, draw } from "./oled.js";
import { startPhone } from "./phone.js";
import { isMuted, mute, play } from "./sound.js";
import { startWorld } from "./world.js";

const kiosk = document.getElementById("kiosk");
const oled = document.getElementById("oled");
const grille = document.getElementById("grille");
const muteButton = document.getElementById("mute");
let dark = 0;

function light({ light: colour, ms }) {
  clearTimeout(dark);
  kiosk.dataset.light = ms > 0 ? colour : "off";
  if (ms > 0) dark = setTimeout(() => (kiosk.dataset.light = "off"), ms);
}

function sound({ sound: name }) {
  play(name);
  if (name === "none") return;
  grille.classList.remove("sounding");
  void grille.offsetWidth; // begins the animation anew
  grille.classList.add("sounding");
}

function showMute() {
  muteButton.setAttribute("aria-pressed", String(isMuted()));
  muteButton.setAttribute("aria-label", t(isMuted() ? "unmute" : "mute"));
  muteButton.title = t(isMuted() ? "unmute" : "mute");
}

function showOffline(gone) {
  const banner = document.getElementById("offline");
  banner.textContent = gone ? t("page_gone") : "";
  banner.hidden = !gone;
}

async function start() {
  const demo = await call("GET", "/api/demo");
  document.querySelector(".segmented[role=group]").addEventListener("click", (event) => {
    if (event.target.dataset.lang) setLanguage(event.target.dataset.lang);
  });
  muteButton.addEventListener("click", () => {
    mute(!isMuted());
    showMute();
  });
  onLanguage(showMute);
  startLog();
  startCamera((detail) => note("failed", { detail }));
  startPhone(demo.people, demo.leaflets, demo.centre);
  startWorld();
  startBooked();
  onLanguage(() => {
    document.getElementById("addresses").replaceChildren(
      el("a", { href: `${demo.centre}/`, target: "_blank", rel: "noopener" }, t("web_pages")),
      el("span", {}, ` · ${t("centre_api")} ${demo.centre} · ${t("logs")} ${demo.logs}`),
    );
  });
  on("display", ({ bits }) => {
    draw(oled, bytes(bits));
    oled.dataset.drawn = "true"; // the first whole state of the unit is here
  });
  on("light", light);
  on("sound", sound);
  on("line", (up) => showOffline(!up));
  draw(oled, new Uint8Array(1024));
  apply();
  connect();
}

start();
