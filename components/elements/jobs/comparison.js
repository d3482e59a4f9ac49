// Compares runs: their progress since each began, in one chart, and a table of what they say of themselves.
import { computed, ref, shallowRef } from "vue";
import { axis, duration, exactTime, number, statusStyleOf } from "formats";
import { StatusBadge } from "parts";
import { pageLink, useNow, useWidth } from "shared";
import { secondsOf } from "run_strip";

const HEIGHT = 220;
const MARGINS = { top: 12, right: 12, bottom: 24, left: 52 };

export default {
  components: { StatusBadge },
  props: { statusStyles: Object },
  emits: ["live"],
  setup(props, { emit }) {
    const now = useNow();
    const host = ref(null);
    const width = useWidth(host, () => emit("live"));
    const runs = shallowRef(null);
    const facts = shallowRef([]);
    const problem = ref("");

    const lengthOf = (run) => secondsOf(run, now.value) ?? 0;
    const chart = computed(() => {
      const shown = (runs.value ?? []).filter((run) => run.points.length);
      if (!shown.length) return null;
      const longest = Math.max(1, ...shown.map(lengthOf), ...shown.map((run) => run.points.at(-1)[0]));
      const top = Math.max(1, ...shown.flatMap((run) => run.points.map((point) => point[1])));
      const [w, h] = [width.value - MARGINS.left - MARGINS.right, HEIGHT - MARGINS.top - MARGINS.bottom];
      const x = (seconds) => MARGINS.left + (seconds / longest) * w;
      const y = (done) => MARGINS.top + h - (done / top) * h;
      // Progress is constant between two points (step interpolation) and until the end of the run.
      const lines = shown.map((run) => ({
        id: run.id,
        hue: runs.value.indexOf(run),
        path:
          `M${x(0)},${y(0)}` +
          run.points.map((point) => `L${x(point[0]).toFixed(1)},${y(point[1]).toFixed(1)}`).join("") +
          `H${x(Math.max(lengthOf(run), run.points.at(-1)[0])).toFixed(1)}`,
      }));
      const count = Math.max(2, Math.floor(width.value / 160));
      const ticks = Array.from({ length: count + 1 }, (_, n) => (longest * n) / count);
      return {
        lines,
        x,
        y,
        ticks,
        steps: axis.steps(top, 4),
        unit: shown.every((run) => run.unit === "%") ? "%" : "",
        right: width.value - MARGINS.right,
      };
    });
    return {
      chart,
      duration,
      exactTime,
      facts,
      HEIGHT,
      host,
      MARGINS,
      number,
      pageLink,
      problem,
      runs,
      width,
      fail: (text) => (problem.value = text),
      show: (found, table) => ([runs.value, facts.value, problem.value] = [found, table, ""]),
      styleOf: (run) => statusStyleOf(props.statusStyles, run.status),
      titleOf: (run) => (run.number ? `Run ${number(run.number)}` : run.name),
      took: (run) => duration(lengthOf(run) * 1000),
    };
  },
  template: `
    <div ref="host" class="lw-comparison">
      <p v-if="problem" class="lw-muted" role="alert">{{ problem }}</p>
      <div v-if="runs === null" class="lw-ghost lw-ghost--chart" aria-hidden="true"></div>
      <p v-else-if="!runs.length" class="lw-muted">None of these runs is there any more, or they belong to another organisation.</p>
      <template v-else>
        <svg v-if="chart" :width="width" :height="HEIGHT" role="img" aria-label="Progress since the beginning of each run; the table below has the figures">
          <g class="lw-chart__grid">
            <template v-for="step in chart.steps" :key="step">
              <line :x1="MARGINS.left" :x2="chart.right" :y1="chart.y(step)" :y2="chart.y(step)" />
              <text :x="MARGINS.left - 8" :y="chart.y(step) + 4" text-anchor="end">{{ number(step) }}{{ chart.unit }}</text>
            </template>
            <text v-for="(tick, n) in chart.ticks" :key="n" :x="chart.x(tick)" :y="HEIGHT - 6" :text-anchor="n === 0 ? 'start' : n === chart.ticks.length - 1 ? 'end' : 'middle'">{{ duration(tick * 1000) }}</text>
          </g>
          <path v-for="line in chart.lines" :key="line.id" class="lw-comparison__line" :data-hue="line.hue" :d="line.path" />
        </svg>
        <p v-else class="lw-chart__none">None of these runs has reported progress.</p>
        <div class="lw-comparison__table" tabindex="0" role="region" aria-label="Facts of the runs">
          <table>
            <thead><tr><td></td><th v-for="(run, n) in runs" :key="run.id" scope="col"><span class="lw-comparison__key" :data-hue="n" aria-hidden="true"></span> <a class="lw-job-link" dir="auto" :href="pageLink(run.href)">{{ titleOf(run) }}</a></th></tr></thead>
            <tbody>
              <tr><th scope="row">Status</th><td v-for="run in runs" :key="run.id"><status-badge :status-style="styleOf(run)" /></td></tr>
              <tr><th scope="row">Began</th><td v-for="run in runs" :key="run.id">{{ run.from ? exactTime(run.from) : "–" }}</td></tr>
              <tr><th scope="row">Took</th><td v-for="run in runs" :key="run.id" class="lw-number">{{ took(run) }}</td></tr>
              <tr v-for="[label, values, differs] in facts" :key="label" :data-differs="differs || undefined"><th scope="row" dir="auto">{{ label }}<span v-if="differs" class="lw-sr-only"> (differs)</span></th><td v-for="(value, n) in values" :key="n" dir="auto">{{ value || "–" }}</td></tr>
            </tbody>
          </table>
        </div>
      </template>
    </div>`,
};
