// The buzzer, heard. Browsers allow sound only after the first press of a key or button.

const SCORES = {
  yes: [[1568, 0, 0.13], [2093, 0.1, 0.22]],
  no: [[233, 0, 0.17], [196, 0.22, 0.28]],
  tick: [[1800, 0, 0.03]],
};

let context = null;
let muted = localStorage.getItem("tokuten.mute") === "1";

export const isMuted = () => muted;
export function mute(value) {
  muted = value;
  localStorage.setItem("tokuten.mute", value ? "1" : "0");
}

for (const event of ["pointerdown", "keydown"]) {
  addEventListener(event, () => {
    context ??= new AudioContext();
    if (context.state === "suspended") context.resume();
  });
}

export function play(sound) {
  if (muted || !context || context.state !== "running") return;
  for (const [hertz, after, length] of SCORES[sound] ?? []) {
    const begin = context.currentTime + after;
    const tone = context.createOscillator();
    const level = context.createGain();
    tone.type = "square";
    tone.frequency.value = hertz;
    level.gain.setValueAtTime(0, begin);
    level.gain.linearRampToValueAtTime(0.045, begin + 0.008);
    level.gain.setValueAtTime(0.045, begin + length - 0.02);
    level.gain.linearRampToValueAtTime(0, begin + length);
    tone.connect(level).connect(context.destination);
    tone.start(begin);
    tone.stop(begin + length + 0.02);
  }
}
