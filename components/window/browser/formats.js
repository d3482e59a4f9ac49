// Numbers, amounts, times and statuses as the reader reads them.
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
