// The camera's window: the live view, and what is held in front of it (a phone, a dropped picture, the webcam).

import { onLanguage, t } from "./i18n.js";
import { call, on, send } from "./live.js";

const POSE = { x: 0.5, y: 0.5, scale: 1.05, rotate_deg: 0, tilt_x_deg: 0, tilt_y_deg: 0, blur_px: 0, motion_px: 0, glare: 0, exposure: 1 };
const SLIDERS = [
  ["scale", 0.25, 2, 0.01, (v) => `${Math.round(v * 100)}%`], ["rotate_deg", -180, 180, 1, (v) => `${v}°`],
  ["tilt_x_deg", -70, 70, 1, (v) => `${v}°`], ["tilt_y_deg", -70, 70, 1, (v) => `${v}°`],
  ["blur_px", 0, 8, 0.1, (v) => `${v}`], ["motion_px", 0, 30, 1, (v) => `${v}`],
  ["glare", 0, 1, 0.02, (v) => `${Math.round(v * 100)}%`], ["exposure", 0.2, 2.5, 0.05, (v) => `${Math.round(v * 100)}%`],
];
const POSE_EVERY_MS = 50;
const WEBCAM_EVERY_MS = 125;
const STEP = 0.03;

const camera = document.getElementById("camera");
const view = document.getElementById("view");
const empty = document.getElementById("camera-empty");
const takeAwayButton = document.getElementById("take-away");
const pictureLabel = document.querySelector("label[for=picture-file]");
const webcamButton = document.getElementById("webcam");
const watchers = new Set();

let pose = { ...POSE };
let busy = false; // a picture is on its way: what the server says of the one before does not count
let held = null; // what is held: a coupon's key, "picture", "webcam", or null
let blind = false; // the unit is off, or its camera is unplugged
let poseTimer = 0;
let lastUrl = "";
let stream = null;

export const holding = () => held;
export const onHold = (watcher) => watchers.add(watcher);

function changed() {
  camera.classList.toggle("holding", held !== null && held !== "webcam");
  takeAwayButton.hidden = held === null || held === "webcam";
  pictureLabel.hidden = held !== null;
  webcamButton.hidden = held !== null && held !== "webcam";
  empty.hidden = held !== null && !blind;
  empty.querySelector("p").textContent = t(blind ? "camera_blind" : "camera_empty");
  for (const watcher of watchers) watcher(held);
}

function sendPose() {
  if (poseTimer) return;
  poseTimer = setTimeout(() => {
    poseTimer = 0;
    send({ t: "pose", pose });
  }, POSE_EVERY_MS);
}

export function setPose(change) {
  pose = { ...pose, ...change };
  showSliders();
  sendPose();
}

export async function hold(key, blob, place = {}) {
  stopWebcam();
  pose = { ...pose, x: 0.5, y: 0.5, ...place };
  showSliders();
  held = key;
  busy = true;
  changed();
  try {
    await call("POST", `/api/world/picture?pose=${encodeURIComponent(JSON.stringify(pose))}`, blob);
  } catch (error) {
    held = null;
    throw error;
  } finally {
    busy = false;
    changed();
  }
}

// The same thing, held as it is held, shows something new.
export async function renew(blob) {
  if (held === null || busy) return;
  await call("POST", `/api/world/picture?pose=${encodeURIComponent(JSON.stringify(pose))}`, blob);
}

export async function takeAway() {
  stopWebcam();
  if (held === null) return;
  held = null;
  changed();
  await call("DELETE", "/api/world/picture");
}

export function place(clientX, clientY) {
  const box = camera.getBoundingClientRect();
  const x = (clientX - box.left) / box.width;
  const y = (clientY - box.top) / box.height;
  return { x, y, inside: x > 0 && x < 1 && y > 0 && y < 1 };
}

export const mark = (over) => camera.classList.toggle("over", over);

// --- sliders -------------------------------------------------------------------------------------------

function showSliders() {
  for (const input of document.querySelectorAll("#sliders input")) {
    const value = pose[input.name];
    const [, low, high, , words] = SLIDERS.find(([name]) => name === input.name);
    input.value = value;
    input.style.setProperty("--at", `${((value - low) / (high - low)) * 100}%`);
    input.parentElement.querySelector("output").textContent = words(Math.round(value * 100) / 100);
  }
}

function buildSliders() {
  const root = document.getElementById("sliders");
  root.replaceChildren(
    ...SLIDERS.map(([name, low, high, step]) => {
      const label = document.createElement("label");
      const text = document.createElement("span");
      text.textContent = t(name);
      const input = Object.assign(document.createElement("input"), { type: "range", name, min: low, max: high, step });
      input.addEventListener("input", () => setPose({ [name]: Number(input.value) }));
      label.append(text, document.createElement("output"), input);
      return label;
    }),
  );
  showSliders();
}

// --- webcam --------------------------------------------------------------------------------------------

function stopWebcam() {
  if (!stream) return;
  for (const track of stream.getTracks()) track.stop();
  stream = null;
  webcamButton.setAttribute("aria-pressed", "false");
}

async function startWebcam(note) {
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { width: 1280, height: 720, facingMode: "environment" } });
  } catch (error) {
    note(t("webcam_denied", { detail: error.name }));
    return;
  }
  webcamButton.setAttribute("aria-pressed", "true");
  held = "webcam";
  changed();
  const video = Object.assign(document.createElement("video"), { srcObject: stream, muted: true, playsInline: true });
  await video.play();
  const canvas = document.createElement("canvas");
  const mine = stream;
  const shot = () => {
    if (stream !== mine) return;
    canvas.width = video.videoWidth;
    canvas.height = video.videoHeight;
    canvas.getContext("2d").drawImage(video, 0, 0);
    canvas.toBlob((blob) => {
      if (blob && stream === mine) send(blob);
      setTimeout(shot, WEBCAM_EVERY_MS);
    }, "image/jpeg", 0.85);
  };
  shot();
}

// --- wiring --------------------------------------------------------------------------------------------

function dragWithin() {
  let from = null;
  camera.addEventListener("pointerdown", (event) => {
    if (held === null || held === "webcam" || event.target.closest("button, label")) return;
    from = { x: event.clientX, y: event.clientY, pose };
    camera.setPointerCapture(event.pointerId);
    camera.classList.add("dragging");
  });
  camera.addEventListener("pointermove", (event) => {
    if (!from) return;
    const box = camera.getBoundingClientRect();
    const dx = (event.clientX - from.x) / box.width;
    const dy = (event.clientY - from.y) / box.height;
    if (event.shiftKey) setPose({ tilt_y_deg: clamp(from.pose.tilt_y_deg + dx * 120, 70), tilt_x_deg: clamp(from.pose.tilt_x_deg + dy * 120, 70) });
    else setPose({ x: from.pose.x + dx, y: from.pose.y + dy });
  });
  for (const type of ["pointerup", "pointercancel"]) {
    camera.addEventListener(type, () => {
      from = null;
      camera.classList.remove("dragging");
    });
  }
  camera.addEventListener("wheel", (event) => {
    if (held === null || document.activeElement !== camera) return;
    event.preventDefault();
    setPose({ scale: Math.min(2, Math.max(0.25, pose.scale * (event.deltaY < 0 ? 1.06 : 0.94))) });
  }, { passive: false });
  camera.addEventListener("keydown", (event) => {
    if (held === null || event.target !== camera) return;
    const move = {
      ArrowLeft: { x: pose.x - STEP }, ArrowRight: { x: pose.x + STEP }, ArrowUp: { y: pose.y - STEP }, ArrowDown: { y: pose.y + STEP },
      "+": { scale: Math.min(2, pose.scale * 1.08) }, "-": { scale: Math.max(0.25, pose.scale * 0.92) },
      "[": { rotate_deg: pose.rotate_deg - 5 }, "]": { rotate_deg: pose.rotate_deg + 5 },
    }[event.key];
    if (event.key === "Escape") takeAway();
    else if (move) setPose(move);
    else return;
    event.preventDefault();
  });
}

const clamp = (value, most) => Math.max(-most, Math.min(most, value));

function dropPictures(note) {
  const use = async (file) => {
    try {
      await hold("picture", file, { scale: 0.9, rotate_deg: 0, tilt_x_deg: 0, tilt_y_deg: 0 });
    } catch {
      note(t("bad_picture"));
    }
  };
  camera.addEventListener("dragover", (event) => {
    event.preventDefault();
    mark(true);
  });
  camera.addEventListener("dragleave", () => mark(false));
  camera.addEventListener("drop", (event) => {
    event.preventDefault();
    mark(false);
    const file = event.dataTransfer.files[0];
    if (file) use(file);
  });
  document.getElementById("picture-file").addEventListener("change", (event) => {
    const file = event.target.files[0];
    event.target.value = "";
    if (file) use(file);
  });
}

export function startCamera(note) {
  buildSliders();
  onLanguage(buildSliders);
  onLanguage(changed);
  dragWithin();
  dropPictures(note);
  takeAwayButton.addEventListener("click", takeAway);
  document.getElementById("pose-reset").addEventListener("click", (event) => {
    event.preventDefault();
    setPose(POSE);
  });
  webcamButton.addEventListener("click", () => (stream ? takeAway() : startWebcam(note)));
  on("view", (blob) => {
    const url = URL.createObjectURL(blob);
    view.onload = () => {
      if (lastUrl) URL.revokeObjectURL(lastUrl);
      lastUrl = url;
    };
    view.src = url;
    view.hidden = blind;
  });
  on("state", (state) => {
    blind = state.power === "off" || state.camera === "out";
    if (blind) view.hidden = true;
    if (!busy && held !== "webcam") held = state.holding ? (held ?? "picture") : null; // perhaps another page holds it
    changed();
  });
  changed();
}
