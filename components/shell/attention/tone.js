// A short tone, in one window per browser. Browsers allow sound only after a user gesture.
const RUNG = "lw-rung";
const MAX_IDS = 50;
const MIN_PAUSE_MS = 3000; // ms between two tones
const NOTES = [
  [660, 0],
  [880, 0.12],
]; // Hz, seconds from now
const LENGTH = 0.22;
let context = null;
let resting = 0;

// Call within a user gesture, which unlocks sound.
export async function allowSound() {
  context ??= new AudioContext();
  clearTimeout(resting);
  // The promise stays pending while sound is not allowed.
  await Promise.race([context.resume(), new Promise((done) => setTimeout(done, 500))]);
  return context.state === "running";
}

export async function playTone() {
  if (!(await allowSound())) return;
  for (const [pitch, wait] of NOTES) {
    const begin = context.currentTime + wait;
    const voice = context.createOscillator();
    const volume = context.createGain();
    voice.frequency.value = pitch;
    volume.gain.setValueAtTime(0, begin);
    volume.gain.linearRampToValueAtTime(0.12, begin + 0.02);
    volume.gain.exponentialRampToValueAtTime(0.0001, begin + LENGTH);
    voice.connect(volume).connect(context.destination);
    voice.start(begin);
    voice.stop(begin + LENGTH);
  }
  resting = setTimeout(() => context.suspend(), 1000);
}

// Sound for these rows unless another window of this browser has.
export async function ringFor(ids) {
  if (!context && !navigator.userActivation?.hasBeenActive) return;
  if (!(await allowSound())) return;
  const ring = async () => {
    const rung = recall();
    if (ids.every((id) => rung.ids.includes(id))) return;
    keep({ at: Date.now(), ids: [...ids, ...rung.ids].slice(0, MAX_IDS) });
    if (Date.now() - rung.at > MIN_PAUSE_MS) await playTone();
  };
  // Web Locks need a secure context; without them two windows may both sound.
  await (navigator.locks ? navigator.locks.request(RUNG, ring) : ring());
}

function recall() {
  try {
    return { at: 0, ids: [], ...JSON.parse(localStorage[RUNG] ?? "{}") };
  } catch {
    return { at: 0, ids: [] };
  }
}

function keep(rung) {
  try {
    localStorage[RUNG] = JSON.stringify(rung);
  } catch {
    // Without storage every window sounds.
  }
}
