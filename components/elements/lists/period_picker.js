// The range of time of a list: periods before now, two times of a zone, and a histogram to brush.
import { computed, nextTick, onMounted, onUnmounted, ref, watch } from "vue";
import { exactTime, number } from "formats";
import { serverNow } from "shared";

const HEIGHT = 56;
const BAR = 5;
const OWN_ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone ?? "UTC";
const ZONES = Intl.supportedValuesOf?.("timeZone") ?? [];

// The wall clock of a zone as an input of date and time takes it; that of UTC where the browser knows no such zone.
function wallClock(ms, zone) {
  const options = { dateStyle: "short", timeStyle: "medium", hourCycle: "h23" };
  let format;
  try {
    format = new Intl.DateTimeFormat("sv-SE", { ...options, timeZone: zone || "UTC" });
  } catch {
    format = new Intl.DateTimeFormat("sv-SE", { ...options, timeZone: "UTC" });
  }
  return format.format(ms).replace(" ", "T");
}

export default {
  props: { periods: Object, period: Object, problem: String, histogram: Object, noun: String },
  emits: ["choose", "histogram"],
  setup(props, { emit }) {
    const host = ref(null);
    const button = ref(null);
    const isOpen = ref(false);
    const from = ref("");
    const to = ref("");
    const zone = ref(OWN_ZONE);
    const brush = ref(null); // where the pointer went down and where it is, as shares of the width

    const isCustom = computed(() =>
      Boolean(props.period.to || (props.period.from && !(props.period.from in props.periods))),
    );
    const shown = (given) => given.replace("T", " ").replace(/([+-]00:?00|Z)$/, " UTC");
    const label = computed(() => {
      const { from: start, to: end, by } = props.period;
      const about = by === "ended" ? "Ended: " : "";
      if (!start && !end) return "All time";
      if (!isCustom.value) return about + props.periods[start];
      if (!end) return about + `Since ${shown(start)}`;
      return about + (start ? `${shown(start)} – ${shown(end)}` : `Until ${shown(end)}`);
    });

    function open() {
      const { from: start, to: end, zone: given } = props.period;
      zone.value = given || OWN_ZONE;
      const local = (value) => (/^\d{4}-/.test(value ?? "") ? inZone(value, given) : "");
      [from.value, to.value] = [local(start), local(end)];
      isOpen.value = !isOpen.value;
      if (isOpen.value) emit("histogram");
    }
    // A time with an offset is shown in the zone, one without is of it.
    function inZone(value, given) {
      return /(Z|[+-]\d\d:?\d\d)$/.test(value)
        ? wallClock(Date.parse(value), zone.value)
        : given
          ? value.slice(0, 19)
          : wallClock(Date.parse(`${value}Z`), zone.value);
    }
    function close(isAway = false) {
      isOpen.value = false;
      if (!isAway) button.value?.focus();
    }
    function choose(period) {
      emit("choose", period);
      if (!("zone" in period)) close();
    }
    const apply = () => choose({ from: from.value, to: to.value, zone: zone.value.trim() });

    // The histogram
    const bars = computed(() => {
      const counts = props.histogram?.counts ?? [];
      const most = Math.max(1, ...counts);
      return counts.map((count, index) => {
        const height = count ? Math.max(2, (count / most) * HEIGHT) : 0;
        const critical = count ? (props.histogram.critical[index] / count) * height : 0;
        return { x: index * BAR, height, critical, count };
      });
    });
    const width = computed(() => Math.max(1, bars.value.length) * BAR);
    const total = computed(() => (props.histogram?.counts ?? []).reduce((sum, count) => sum + count, 0));
    const summary = computed(() => {
      if (!props.histogram) return "Counting…";
      if (props.histogram.error) return props.histogram.error;
      if (!props.histogram.counts) return `There are no ${props.noun} at all.`;
      const { start, end } = props.histogram;
      return `${number(total.value)} ${props.noun} from ${exactTime(start)} to ${exactTime(end)}. Drag to choose a part.`;
    });
    const isAhead = computed(() => props.histogram?.start > serverNow());
    const share = (event) => {
      const box = event.currentTarget.getBoundingClientRect();
      return Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
    };
    function press(event) {
      if (!total.value) return;
      event.currentTarget.setPointerCapture(event.pointerId);
      brush.value = [share(event), share(event)];
    }
    function drag(event) {
      if (brush.value) brush.value = [brush.value[0], share(event)];
    }
    function release() {
      const [start, end] = (brush.value ?? [0, 0]).toSorted((a, b) => a - b);
      brush.value = null;
      if (end - start < 0.01) return;
      const { start: first, end: last } = props.histogram;
      const at = (part) => wallClock(Math.round((first + part * (last - first)) / 1000) * 1000, zone.value);
      [from.value, to.value] = [at(start), at(end)];
      if (from.value !== to.value) apply();
    }
    const brushed = computed(() => {
      if (!brush.value) return null;
      const [start, end] = brush.value.toSorted((a, b) => a - b);
      return { x: start * width.value, width: (end - start) * width.value };
    });

    const away = (event) => isOpen.value && !host.value?.contains(event.target) && close(true);
    onMounted(() => document.addEventListener("pointerdown", away));
    onUnmounted(() => document.removeEventListener("pointerdown", away));
    watch(isOpen, async (opened) => {
      await nextTick();
      if (opened) host.value?.querySelector(".lw-period__panel button, .lw-period__panel input")?.focus();
    });
    return {
      apply,
      bars,
      brushed,
      button,
      choose,
      close,
      drag,
      from,
      HEIGHT,
      host,
      isAhead,
      isOpen,
      label,
      open,
      press,
      release,
      summary,
      to,
      width,
      zone,
      ZONES,
    };
  },
  template: `
    <div ref="host" class="lw-period" @keydown.esc="isOpen && (close(), $event.stopPropagation())">
      <button ref="button" type="button" class="lw-button lw-period__button" :data-chosen="period.from || period.to ? '' : undefined" :data-problem="problem ? '' : undefined"
              :aria-expanded="String(isOpen)" aria-haspopup="dialog" data-testid="period" @click="open">
        <i class="lw-icon notranslate" aria-hidden="true">schedule</i><span class="lw-clip">{{ label }}</span></button>
      <div v-if="isOpen" class="lw-period__panel" role="dialog" aria-label="Range of time">
        <p v-if="problem" class="lw-period__problem" role="alert">{{ problem }}</p>
        <div class="lw-period__presets">
          <button type="button" class="lw-filter" :aria-pressed="String(!period.from && !period.to)" @click="choose({ from: '', to: '' })">All time</button>
          <button v-for="(text, value) in periods" :key="value" type="button" class="lw-filter" :aria-pressed="String(period.from === value && !period.to)" @click="choose({ from: value, to: '' })">{{ text }}</button>
        </div>
        <svg v-if="bars.length" class="lw-period__bars" :viewBox="'0 0 ' + width + ' ' + HEIGHT" preserveAspectRatio="none" role="img" :aria-label="summary"
             @pointerdown="press" @pointermove="drag" @pointerup="release" @pointercancel="release">
          <rect class="lw-period__ground" x="0" y="0" :width="width" :height="HEIGHT" />
          <template v-for="bar in bars" :key="bar.x">
            <rect v-if="bar.height" class="lw-period__bar" :x="bar.x" :y="HEIGHT - bar.height" width="4" :height="bar.height" />
            <rect v-if="bar.critical" class="lw-period__critical" :x="bar.x" :y="HEIGHT - bar.critical" width="4" :height="bar.critical" />
          </template>
          <rect v-if="brushed" class="lw-period__brush" :x="brushed.x" y="0" :width="brushed.width" :height="HEIGHT" />
        </svg>
        <p class="lw-period__summary lw-number" role="status">{{ isAhead ? 'The range begins in the future: nothing is there yet.' : summary }}</p>
        <form class="lw-period__custom" @submit.prevent="apply">
          <label>From<input v-model="from" type="datetime-local" step="1" class="lw-select"></label>
          <label>Until<input v-model="to" type="datetime-local" step="1" class="lw-select"></label>
          <label>Time zone<input v-model="zone" class="lw-select" list="lw-zones" maxlength="60" autocomplete="off" spellcheck="false"></label>
          <datalist id="lw-zones"><option v-for="each in ZONES" :key="each" :value="each"></option></datalist>
          <button type="submit" class="lw-button">Apply</button>
        </form>
      </div>
    </div>`,
};
