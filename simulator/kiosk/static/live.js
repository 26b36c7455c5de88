// The live line to the simulator: one WebSocket, with bounded back-off, and the calls that change the world.

const BACKOFF_FIRST_MS = 400;
const BACKOFF_MAX_MS = 5000;

const listeners = new Map();
let socket = null;
let pause = BACKOFF_FIRST_MS;

export function on(type, listener) {
  if (!listeners.has(type)) listeners.set(type, []);
  listeners.get(type).push(listener);
}

function tell(type, message) {
  for (const listener of listeners.get(type) ?? []) listener(message);
}

export function connect() {
  socket = new WebSocket(`ws://${location.host}/live`);
  socket.binaryType = "blob";
  socket.onopen = () => {
    pause = BACKOFF_FIRST_MS;
    tell("line", true);
  };
  socket.onmessage = ({ data }) => {
    if (data instanceof Blob) tell("view", data);
    else {
      const message = JSON.parse(data);
      tell(message.t, message);
    }
  };
  socket.onclose = () => {
    tell("line", false);
    setTimeout(connect, pause * (0.75 + Math.random() / 2));
    pause = Math.min(pause * 2, BACKOFF_MAX_MS);
  };
}

// Small messages that may be lost: poses and the webcam's frames.
export function send(message) {
  if (socket?.readyState !== WebSocket.OPEN || socket.bufferedAmount > 1_000_000) return false;
  socket.send(message instanceof Blob ? message : JSON.stringify(message));
  return true;
}

export class Refused extends Error {
  constructor(status, body) {
    super(body?.detail?.ja ?? body?.detail ?? String(status));
    this.status = status;
    this.body = body;
  }
}

export async function call(method, path, body, headers = {}) {
  const binary = body instanceof Blob;
  const response = await fetch(path, {
    method,
    headers: { ...(body === undefined ? {} : { "Content-Type": binary ? body.type : "application/json" }), ...headers },
    body: body === undefined ? undefined : binary ? body : JSON.stringify(body),
  });
  const text = await response.text();
  const answer = text ? JSON.parse(text) : null;
  if (!response.ok) throw new Refused(response.status, answer);
  return answer;
}
