// Small components of live elements: times, statuses, bars and names.
import { computed, ref, watch } from "vue";
import { ago, amount, duration, exactTime, momentOf, roughly } from "formats";
import { useNow } from "shared";

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

const compact = new Intl.NumberFormat(undefined, { notation: "compact", maximumSignificantDigits: 3 });

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
