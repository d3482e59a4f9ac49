// Shared by live elements: clock, connection of the window, formats and basic components.
import { computed, nextTick, onMounted, onUnmounted, ref, watch } from "vue";

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

// Numbers in the reader's locale, as dates are.
const plain = new Intl.NumberFormat(undefined, { maximumFractionDigits: 3 });
const whole = new Intl.NumberFormat(undefined, { style: "percent" });
const tenth = new Intl.NumberFormat(undefined, { style: "percent", minimumFractionDigits: 1 });
export const number = (value) => (typeof value === "number" ? plain.format(value) : value);

// Rounded down to tenths, as in the database, so that only finished work shows 100 %.
export function percent(value) {
  if (value === 0 || value === 100) return whole.format(value / 100);
  return tenth.format(Math.floor((value ?? 0) * 10 + 1e-6) / 1000);
}

// Units done or to do; those of the unit B are bytes.
const rounded = new Intl.NumberFormat(undefined, { maximumFractionDigits: 1 });
const BYTES = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
export function amount(value, unit) {
  if (unit !== "B" || typeof value !== "number") return number(value);
  const power = Math.min(BYTES.length - 1, Math.max(0, Math.floor(Math.log2(Math.max(1, value)) / 10)));
  return `${rounded.format(value / 1024 ** power)} ${BYTES[power]}`;
}

// Why an empty list of these rows does not mean that there are none; empty when it does.
export function missingText(missing, noun) {
  if (missing === "older") return `Not among the newest ${noun}, which are loaded here. Older ones are not shown.`;
  if (missing === "reading") return `Looking through older ${noun}…`;
  if (missing === "failed") return `Older ${noun} could not be read just now; it is tried again every few seconds.`;
  if (missing === "beyond") return `There are more ${noun}. A search or a range of time leads to them.`;
  if (missing === "invalid") return `Some ${noun} could not be read, so they are not shown; the System tab lists them.`;
  return missing === "refused" ? `You have no access to these ${noun}, or no longer.` : "";
}

export function ago(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 5) return "just now";
  if (seconds < 60) return `${seconds} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ago`;
  return `${Math.floor(seconds / 86400)} d ago`;
}

// `ticks`: whole seconds, for running work.
export function duration(ms, ticks = false) {
  if (ticks && ms < 60000) return `${Math.max(0, Math.floor(ms / 1000))} s`;
  if (ms < 1000) return `${Math.max(0, Math.round(ms))} ms`;
  if (ms < 10000) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.floor(ms / 1000);
  const two = (number) => String(number).padStart(2, "0");
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} m ${two(seconds % 60)} s`;
  return `${Math.floor(seconds / 3600)} h ${two(Math.floor(seconds / 60) % 60)} m`;
}

// The largest unit only.
export function roughly(ms) {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 90) return `${seconds} s`;
  if (seconds < 90 * 60) return `${Math.round(seconds / 60)} min`;
  if (seconds < 36 * 3600) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86400)} d`;
}

const compact = new Intl.NumberFormat(undefined, { notation: "compact", maximumSignificantDigits: 3 });
const dateTime = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "medium", hourCycle: "h23" });
export const exactTime = (ms) => dateTime.format(ms);
export const clockTime = (ms) => clock.format(ms);

// The clock time of a moment of today, date and time of any other.
export function momentOf(ms, nowMs) {
  const isToday = new Date(ms).toDateString() === new Date(nowMs).toDateString();
  return isToday ? clockTime(ms) : exactTime(ms);
}

const UNKNOWN = { tone: "neutral", icon: "help_outline", pulse: false };
export const statusStyleOf = (statusStyles, status) =>
  statusStyles?.[status] ?? { ...UNKNOWN, label: String(status ?? "Unknown") };

// Axis ticks at round numbers and times.
const SPANS = [
  1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800, 2592000,
];
const day = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric" });
const minute = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });

export const axis = {
  steps(top, most) {
    const raw = top / most;
    const power = 10 ** Math.floor(Math.log10(raw));
    const step = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((each) => each >= raw);
    return Array.from({ length: Math.floor(top / step + 1e-9) + 1 }, (_, index) => index * step);
  },
  times(from, to, most) {
    const span = SPANS.find((seconds) => (to - from) / 1000 / seconds <= most) ?? SPANS.at(-1);
    const format = span >= 86400 ? day : span >= 60 ? minute : clock;
    return roundTimes(from, to, span).map((ms) => ({ ms, text: format.format(ms) }));
  },
};

// The times from `from` to `to` (ms) that are a multiple of `span` seconds by the reader's clock. Days have 23 to 25 hours,
// so hours and days are counted on the calendar.
function roundTimes(from, to, span) {
  const times = [];
  const start = new Date(from);
  const days = Math.max(1, span / 86400);
  const dayNumber = Math.floor((from - start.getTimezoneOffset() * 60e3) / 86400e3);
  const hours = span / 3600;
  const step = (index) =>
    span < 3600
      ? start.setMinutes(0, 0, 0) + index * span * 1000
      : hours < 24
        ? +new Date(start.getFullYear(), start.getMonth(), start.getDate(), index * hours)
        : +new Date(start.getFullYear(), start.getMonth(), start.getDate() - (dayNumber % days) + index * days);
  for (let index = 0, ms = step(0); ms <= to; ms = step(++index)) if (ms >= from && ms !== times.at(-1)) times.push(ms);
  return times;
}

// Attributes that identify a live value for tests and tools. Its direction is its own, and does not reorder its neighbours.
export const fieldAttributes = (table, id, field) => ({
  "data-table": table,
  "data-id": id,
  "data-field": field,
  dir: "auto",
});

// Text that changes often, as `v-live="text"` with `directives: { live }`. Vue replaces the text node, upon which the browser
// styles and lays out the page again, also for rows out of sight. A new value of the same node costs less, and nothing for
// those (`content-visibility`).
export const live = {
  created: (element, { value }) => element.append(String(value ?? "")),
  updated(element, { value, oldValue }) {
    if (value !== oldValue) element.firstChild.nodeValue = String(value ?? "");
  },
};

export const TimeAgo = {
  directives: { live },
  props: { at: Number },
  setup(props) {
    const clock = useNow();
    return { text: computed(() => ago(clock.value - props.at)), exact: computed(() => exactTime(props.at)) };
  },
  template: `
    <time v-if="at" class="lw-time lw-number" :title="exact" :data-value="at" v-live="text"></time>
    <span v-else class="lw-time">–</span>`,
};

// Ticks since `from` until `ms` is final.
export const Elapsed = {
  directives: { live },
  props: { from: Number, ms: Number, running: Boolean },
  setup(props) {
    const clock = useNow();
    const text = computed(() => {
      if (props.ms != null) return duration(props.ms);
      if (!props.running || !props.from) return "–";
      return duration(clock.value - props.from, true);
    });
    return { text };
  },
  template: `<span class="lw-number" :data-value="ms" v-live="text"></span>`,
};

// Rate and time remaining, or what the watcher found of the run.
export const Pace = {
  directives: { live },
  props: { row: Object, table: String, id: String, unit: { type: String, default: "" } },
  setup(props) {
    const at = (field) => fieldAttributes(props.table, props.id, field);
    const clock = useNow();
    const has = (kind) => computed(() => props.row.incidents?.includes(kind) ?? false);
    const [isUnreachable, isStalled, isOverdue, isSlow] = ["unreachable", "stalled", "overdue", "slow"].map(has);
    const since = computed(() => momentOf(props.row.reported_at, clock.value));
    const silentSince = computed(() => "Nothing was heard of it since " + exactTime(props.row.reported_at));
    const rate = computed(() => {
      const { rate } = props.row;
      if (!rate) return "";
      const [value, per] = rate >= 1 ? [rate, "s"] : rate * 60 >= 1 ? [rate * 60, "min"] : [rate * 3600, "h"];
      const units = props.unit && props.unit !== "B" ? " " + props.unit : "";
      return `${props.unit === "B" ? amount(value, "B") : compact.format(value)}${units}/${per}`;
    });
    const left = computed(() => {
      const ms = (props.row.done_at ?? 0) - clock.value;
      return props.row.done_at == null || ms < -5000 ? "" : ms < 1000 ? "almost done" : `${roughly(ms)} left`;
    });
    const silence = computed(() => roughly(clock.value - props.row.last_progress_at));
    const end = computed(() => (props.row.done_at ? "Done at " + exactTime(props.row.done_at) : undefined));
    return { at, end, isOverdue, isSlow, isStalled, isUnreachable, left, rate, silence, silentSince, since };
  },
  template: `
    <span v-if="isUnreachable" class="lw-pace lw-pace--unreachable" v-bind="at('unreachable')" :data-value="row.reported_at" :title="silentSince">
      <i class="lw-icon notranslate" aria-hidden="true">cloud_off</i>Unreachable since {{ since }}</span>
    <span v-else-if="isStalled" class="lw-pace lw-pace--stalled" v-bind="at('stalled')" :data-value="row.last_progress_at" :title="'No progress since ' + silence">
      <i class="lw-icon notranslate" aria-hidden="true">hourglass_disabled</i>Stalled for {{ silence }}</span>
    <span v-else-if="isOverdue || isSlow" class="lw-pace lw-pace--stalled" v-bind="at('late')" :title="isOverdue ? 'It takes longer than the schedule of its job allows' : 'It takes much longer than runs of its job usually do'">
      <i class="lw-icon notranslate" aria-hidden="true">{{ isOverdue ? "timer_off" : "schedule" }}</i>{{ isOverdue ? "Overdue" : "Longer than usual" }}<template v-if="left"> · {{ left }}</template></span>
    <span v-else-if="rate || left" class="lw-pace lw-number" :title="end">
      <span v-if="rate" v-bind="at('rate')" :data-value="row.rate" v-live="rate"></span><span v-if="left" v-bind="at('eta')" :data-value="row.done_at" v-live="left"></span></span>`,
};

export const LiveDot = {
  props: { statusStyle: Object },
  template: `<span class="lw-dot" :class="{ 'lw-dot--pulse': statusStyle.pulse }" :data-tone="statusStyle.tone" aria-hidden="true"></span>`,
};

export const StatusBadge = {
  directives: { live },
  inheritAttrs: false,
  props: { statusStyle: Object, value: String },
  template: `
    <span class="lw-badge" :data-tone="statusStyle.tone">
      <i class="lw-icon notranslate" aria-hidden="true" v-live="statusStyle.icon"></i><span v-bind="$attrs" :data-value="value" v-live="statusStyle.label"></span>
    </span>`,
};

// Only visible steps of a bar are animated: an animation costs many times more than a plain update, and frequent small
// steps look smooth anyway.
const SMALL_STEP = 1; // percent

// `value`: 0 to 100; null without a known length, when an active bar only shows that work goes on.
export const ProgressBar = {
  props: { value: Number, label: String, tone: String, isActive: Boolean },
  setup(props) {
    const isKnown = computed(() => props.value != null);
    const share = computed(() => Math.min(100, Math.max(0, props.value ?? 0)));
    const glides = ref(false);
    watch(share, (to, from) => (glides.value = Math.abs(to - from) >= SMALL_STEP));
    // Slightly beyond the edge at 0, since rounding would leave a sliver.
    const shift = computed(() => (isKnown.value ? `translateX(${(share.value || -1) - 100}%)` : undefined));
    return { glides, isKnown, share, shift };
  },
  template: `
    <div class="lw-bar" role="progressbar" aria-valuemin="0" aria-valuemax="100" :aria-valuenow="isKnown ? share : undefined"
         :aria-label="label" :data-tone="tone">
      <div class="lw-bar__fill" :class="{ 'lw-bar__fill--glides': glides, 'lw-bar__fill--unknown': !isKnown && isActive }" :style="{ transform: shift }"></div>
    </div>`,
};

// A name in one line. Its end tells it from its like, so it is cut before the end.
const END = 10;
const graphemes = new Intl.Segmenter();

export const ClippedName = {
  props: { text: String },
  setup(props) {
    const parts = computed(() => {
      const letters = [...graphemes.segment(props.text ?? "")].map((each) => each.segment);
      const at = letters.length > 2 * END ? letters.length - END : letters.length;
      return [letters.slice(0, at).join(""), letters.slice(at).join("")];
    });
    return { parts };
  },
  template: `<span class="lw-name"><span class="lw-name__start">{{ parts[0] }}</span><span v-if="parts[1]" class="lw-name__end">{{ parts[1] }}</span></span>`,
};
