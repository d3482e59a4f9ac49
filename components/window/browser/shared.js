// Shared by live elements: clock, connection of the window, and what a window asks its server for.
import { nextTick, onMounted, onUnmounted, ref, watch } from "vue";

// The server's time, in epoch milliseconds. The reader's clock may be wrong and may jump, so only the monotonic clock is
// read, and each frame brings the server's time. A frame's delay makes its sample late: the largest of the samples of the
// last half minute or more is the best one.
const SAMPLE_PERIOD = 30000;
let clockBase = { best: -Infinity, before: -Infinity, since: 0 };

export function setServerTime(ms) {
  const at = performance.now();
  if (at - clockBase.since > SAMPLE_PERIOD) clockBase = { best: -Infinity, before: clockBase.best, since: at };
  clockBase.best = Math.max(clockBase.best, ms - at);
}

export function serverNow() {
  const base = Math.max(clockBase.best, clockBase.before);
  return base === -Infinity ? Date.now() : base + performance.now();
}

// One timer for all times on the page; runs only while the page is visible.
const now = ref(serverNow());
let watchers = 0;
let timer = null;

function keepTime() {
  const wanted = watchers > 0 && !document.hidden;
  if (wanted && !timer) {
    now.value = serverNow();
    timer = setInterval(() => (now.value = serverNow()), 1000);
  } else if (!wanted && timer) {
    clearInterval(timer);
    timer = null;
  }
}
document.addEventListener("visibilitychange", keepTime);

export function useNow() {
  onMounted(() => (watchers++, keepTime()));
  onUnmounted(() => (watchers--, keepTime()));
  return now;
}

// When this window lost its server (ms); null while connected.
export const lostAt = ref(null);
const LOOPBACK = ["localhost", "127.0.0.1", "[::1]"];

// When the server lost its feed (ms); null while connected.
export const feedLostAt = ref(null);

// Whether the server has announced its shutdown.
export const isClosing = ref(false);

// Since when (ms) the values of this window may be too old to call them live; null while they are fresh. Probes bring
// a frame every five to eight seconds, so a longer silence means that frames wait, for the network or for this browser.
// `delay` (ms) is how long a frame takes by the server's measure: after late values of a slow network one fresh frame
// proves little.
const MAX_AGE = 9000;
const SLOW_DELAY = 1000;
const SETTLE_TIME = 15000;
export const lateAt = ref(null);
let latest = null; // the last frame
let lateUntil = 0;

export function noteFrame(sentAt, delay) {
  if (latest === null) setInterval(judgeAge, 500);
  latest = { at: performance.now(), sentAt, delay };
  judgeAge();
}

function judgeAge() {
  const at = performance.now();
  if (document.hidden || lostAt.value !== null) Object.assign(latest, { at, sentAt: serverNow() }); // none is due
  const age = Math.max(serverNow() - latest.sentAt, at - latest.at + latest.delay);
  if (age > MAX_AGE) {
    lateAt.value ??= serverNow() - age;
    lateUntil = latest.delay > SLOW_DELAY ? at + SETTLE_TIME : 0;
  } else if (at > lateUntil) lateAt.value = null;
}

function lose() {
  lostAt.value ??= serverNow();
}
function find() {
  lostAt.value = null;
  isClosing.value = false;
}
// Receives the content of each frame (see frame_transport.py).
export const onFrame = { value: null };

function watchSocket() {
  const socket = window.socket;
  if (!socket) return void setTimeout(watchSocket, 10); // NiceGUI opens the socket after mounting the elements
  socket.on("livewatch_frame", (content) => onFrame.value?.(content));
  socket.on("connect", find);
  socket.on("disconnect", lose);
  socket.on("connect_error", lose);
  if (LOOPBACK.includes(location.hostname)) return; // loopback works without a network
  window.addEventListener("offline", lose);
  window.addEventListener("online", () => socket.connected && find());
}
watchSocket();

const still = matchMedia("(prefers-reduced-motion: reduce)");
export const mayMove = () => !still.matches && !document.hidden;

export const pageLink = (path) => (path.startsWith("/") ? (window.path_prefix ?? "") + path : path);

// Counts a component among those that show something, for as long as it is there.
export function useReader(readers) {
  onMounted(() => readers.value++);
  onUnmounted(() => readers.value--);
}

// Returns the width of an element in pixels, at least 200, and follows it; `onMeasured` is called when it is first known.
export function useWidth(host, onMeasured) {
  const width = ref(600);
  const fit = (pixels) => (width.value = Math.max(200, pixels));
  const sizes = new ResizeObserver(([entry]) => fit(entry.contentRect.width)); // in the next frame only
  onMounted(() => (fit(host.value.clientWidth), sizes.observe(host.value), onMeasured()));
  onUnmounted(() => sizes.disconnect());
  return width;
}

// Tells the server how much the window shows of something, as a number: more at once, less after a while, since a page that
// follows has readers soon.
const DEMAND_TTL = 2000;
export function useDemand(wanted, tell) {
  let told = 0;
  let timer = 0;
  const say = () => {
    if (wanted.value !== told) tell((told = wanted.value));
  };
  watch(wanted, () => {
    clearTimeout(timer);
    if (wanted.value > told) say();
    else timer = setTimeout(say, DEMAND_TTL);
  });
  onMounted(() => nextTick(say));
  onUnmounted(() => clearTimeout(timer));
}
