// Progress over time: done, goal and projection at the current rate.
import { computed, ref, shallowRef } from "vue";
import { axis, clockTime, exactTime } from "formats";
import { useNow, useWidth } from "shared";

const HEIGHT = 200;
const MARGINS = { top: 12, right: 12, bottom: 24, left: 52 };
const number = new Intl.NumberFormat(undefined, { notation: "compact", maximumFractionDigits: 1 });

export default {
  props: { label: String, unit: { type: String, default: "" } },
  emits: ["live"],
  setup(props, { emit }) {
    const now = useNow();
    const host = ref(null);
    const width = useWidth(host, () => emit("live"));
    const points = shallowRef(null); // [ms, done, whole], in order; null until the first batch
    const outlook = shallowRef({ running: false, done_at: null });
    const hovered = ref(null);

    function apply(batch) {
      const set = batch.set ?? {};
      if (set.points) points.value = set.points.all;
      if (set.more && points.value) {
        const last = points.value.at(-1)?.[0] ?? 0;
        points.value = [...points.value, ...set.more.points.filter((point) => point[0] > last)];
      }
      if (set.outlook) outlook.value = set.outlook;
    }

    const frame = computed(() => {
      const all = points.value ?? [];
      if (all.length < 2 && !(all.length && outlook.value.running)) return null;
      const from = all[0][0];
      const last = all.at(-1)[0];
      const to = Math.max(outlook.value.running ? now.value : last, last, from + 1000);
      const top = Math.max(all.at(-1)[2], ...all.map((point) => point[1]), 1);
      const [w, h] = [width.value - MARGINS.left - MARGINS.right, HEIGHT - MARGINS.top - MARGINS.bottom];
      const x = (ms) => MARGINS.left + ((ms - from) / (to - from)) * w;
      const y = (done) => MARGINS.top + h - (done / top) * h;
      return { all, from, to, top, x, y, goal: all.at(-1)[2], bottom: MARGINS.top + h, right: MARGINS.left + w };
    });
    // Progress is constant between two points (step interpolation).
    const line = computed(() => {
      const { all, x, y, to } = frame.value;
      let path = `M${x(all[0][0])},${y(all[0][1])}`;
      for (const [ms, done] of all.slice(1)) path += `L${x(ms).toFixed(1)},${y(done).toFixed(1)}`;
      return outlook.value.running ? path + `H${x(to)}` : path;
    });
    const area = computed(() => `${line.value}V${frame.value.bottom}H${frame.value.x(frame.value.from)}Z`);
    const xTicks = computed(() =>
      axis.times(frame.value.from, frame.value.to, Math.max(2, Math.floor(width.value / 140))),
    );
    const yTicks = computed(() => axis.steps(frame.value.top, 4));

    function hover(event) {
      const { all, from, to } = frame.value;
      const share = (event.offsetX - MARGINS.left) / (width.value - MARGINS.left - MARGINS.right);
      const ms = from + share * (to - from);
      hovered.value = all.findLast((point) => point[0] <= ms) ?? all[0];
    }
    const tip = computed(() => {
      if (!hovered.value || !frame.value) return null;
      const [ms, done, whole] = hovered.value;
      const left = frame.value.x(ms);
      return {
        left,
        top: frame.value.y(done),
        flips: left > width.value / 2,
        text: `${number.format(done)}${props.unit} of ${number.format(whole)}${props.unit}`,
        time: exactTime(ms),
      };
    });
    const summary = computed(() => {
      if (!frame.value) return props.label;
      const [, done, whole] = frame.value.all.at(-1);
      return `${props.label}: ${number.format(done)}${props.unit} of ${number.format(whole)}${props.unit} since ${exactTime(frame.value.from)}`;
    });
    return {
      apply,
      area,
      clockTime,
      frame,
      HEIGHT,
      host,
      hover,
      hovered,
      line,
      MARGINS,
      number,
      points,
      summary,
      tip,
      width,
      xTicks,
      yTicks,
    };
  },
  template: `
    <div ref="host" class="lw-chart" :style="{ height: HEIGHT + 'px' }">
      <div v-if="points === null" class="lw-ghost lw-ghost--chart" aria-hidden="true"></div>
      <p v-else-if="!frame" class="lw-chart__none">The history begins with the first progress.</p>
      <template v-else>
        <svg :width="width" :height="HEIGHT" role="img" :aria-label="summary" @pointermove="hover" @pointerleave="hovered = null">
          <g class="lw-chart__grid">
            <template v-for="tick in yTicks" :key="tick">
              <line :x1="MARGINS.left" :x2="frame.right" :y1="frame.y(tick)" :y2="frame.y(tick)" />
              <text :x="MARGINS.left - 8" :y="frame.y(tick) + 4" text-anchor="end">{{ number.format(tick) }}{{ unit }}</text>
            </template>
            <text v-for="tick in xTicks" :key="tick.ms" :x="frame.x(tick.ms)" :y="HEIGHT - 6" text-anchor="middle">{{ tick.text }}</text>
          </g>
          <line v-if="frame.goal" class="lw-chart__goal" :x1="MARGINS.left" :x2="frame.right" :y1="frame.y(frame.goal)" :y2="frame.y(frame.goal)"><title>The goal: {{ frame.goal }}{{ unit }}</title></line>
          <path class="lw-chart__area" :d="area" />
          <path class="lw-chart__line" :d="line" data-testid="history-line" :data-points="frame.all.length" />
          <circle v-if="tip" class="lw-chart__dot" :cx="tip.left" :cy="tip.top" r="4" />
        </svg>
        <div v-if="tip" class="lw-chart__tip" :class="{ 'lw-chart__tip--flips': tip.flips }" :style="{ left: tip.left + 'px', top: tip.top + 'px' }"><b>{{ tip.text }}</b>{{ tip.time }}</div>
      </template>
    </div>`,
};
