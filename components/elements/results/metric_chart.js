// The chart of one metric, its figures and the table behind it.
import { computed, onMounted, onUnmounted, reactive, ref, watch } from "vue";
import { number } from "formats";
import { useDrawing } from "drawing";
import { oddPoints, optionsOf, valueText } from "metric_options";

const ZOOM_DELAY = 150;
const MAX_ROWS = 50;

export const MetricChart = {
  props: { name: String, label: String, facts: Array, series: Array, range: Array, runs: Array, exact: Boolean },
  emits: ["seen", "zoom"],
  setup(props, { emit }) {
    const host = ref(null);
    const drawing = ref(null);
    const hasTable = ref(false);
    let timer = 0;

    function draw(chart) {
      if (!props.series) return;
      const began = performance.now();
      chart.setOption(optionsOf(drawing.value, props.series, props.runs, props.range), true);
      host.value.dataset.drawMs = Math.round(performance.now() - began);
    }
    const { begin, chart, failed, redraw } = useDrawing(drawing, draw, (begun) => begun.on("datazoom", zoomed));
    const sight = new IntersectionObserver(([entry]) => emit("seen", entry.isIntersecting), { rootMargin: "100px" });
    onMounted(() => sight.observe(host.value));
    onUnmounted(() => {
      clearTimeout(timer);
      sight.disconnect();
      emit("seen", false);
    });
    function show() {
      begin();
      redraw();
    }
    watch(() => [props.series, props.range, props.runs], show, { flush: "post" });

    function zoomed() {
      clearTimeout(timer);
      timer = setTimeout(() => {
        const [{ start, end, startValue, endValue }] = chart().getOption().dataZoom;
        zoom(start <= 0 && end >= 100 ? null : [Math.floor(startValue), Math.ceil(endValue)]);
      }, ZOOM_DELAY);
    }
    const bounds = computed(() => {
      const known = props.facts.filter(Boolean);
      return [Math.min(...known.map((each) => each.first)), Math.max(...known.map((each) => each.last))];
    });
    function zoom(range) {
      if (range && range[0] <= bounds.value[0] && range[1] >= bounds.value[1]) range = null;
      if (String(range) !== String(props.range)) emit("zoom", range);
    }
    // What a person types stays while points arrive.
    const typed = reactive([null, null]);
    function enter(index) {
      const next = [...(props.range ?? bounds.value)];
      next[index] = Math.min(Math.max(Number(typed[index]) || 0, bounds.value[0]), bounds.value[1]);
      typed[index] = null;
      if (next[0] <= next[1]) zoom(next);
    }

    const total = computed(() => props.facts.reduce((sum, each) => sum + (each?.points ?? 0), 0));
    const odd = computed(() => (props.series ?? []).reduce((sum, points) => sum + oddPoints(points).length, 0));
    // The latest first; points of all runs at one step are one row.
    const rows = computed(() => {
      const bySteps = new Map();
      (props.series ?? []).forEach((points, run) => {
        for (const [step, value] of points.slice(-MAX_ROWS)) {
          if (!bySteps.has(step)) bySteps.set(step, []);
          bySteps.get(step)[run] = value;
        }
      });
      return [...bySteps].sort((a, b) => b[0] - a[0]).slice(0, MAX_ROWS);
    });
    const summary = computed(() => {
      const latest = props.facts.map((each, run) => each && `${props.runs[run] ?? ""} ${valueText(each.value)}`.trim());
      return `${props.label}, latest: ${latest.filter(Boolean).join(", ")}. The table has the values.`;
    });
    return {
      bounds,
      drawing,
      enter,
      failed,
      hasTable,
      host,
      number,
      odd,
      rows,
      summary,
      total,
      typed,
      valueText,
      zoom,
    };
  },
  template: `
    <section ref="host" class="lw-metric" :data-metric="name" :data-points="total" :data-exact="exact" :aria-label="label">
      <div class="lw-metric__head">
        <h3 dir="auto" :title="label">{{ label }}</h3>
        <button type="button" class="lw-icon-button" :aria-pressed="hasTable" :aria-label="'Table of ' + label" title="Table" @click="hasTable = !hasTable"><i class="lw-icon notranslate" aria-hidden="true">table_rows</i></button>
      </div>
      <dl class="lw-metric__facts">
        <template v-for="(each, run) in facts" :key="run"><div v-if="each"><dt v-if="runs[run]"><span class="lw-comparison__key" :data-hue="run" aria-hidden="true"></span> <bdi>{{ runs[run] }}</bdi></dt><dt v-else>Latest</dt><dd class="lw-number" data-field="latest">{{ valueText(each.value) }}</dd></div></template>
        <template v-if="facts.length === 1"><div><dt>Least</dt><dd class="lw-number">{{ valueText(facts[0].minimum) }}</dd></div><div><dt>Greatest</dt><dd class="lw-number">{{ valueText(facts[0].maximum) }}</dd></div><div><dt>Points</dt><dd class="lw-number" data-field="points">{{ number(total) }}</dd></div></template>
      </dl>
      <div class="lw-metric__canvas">
        <div v-if="!series" class="lw-ghost lw-ghost--chart" aria-hidden="true"></div>
        <div ref="drawing" class="lw-metric__drawing" role="img" :aria-label="summary" data-testid="drawing"></div>
      </div>
      <p v-if="failed" class="lw-muted">The chart could not be loaded. Reload the page to try again; the table has the values.</p>
      <div v-if="series" class="lw-metric__range">
        <label>Steps <input type="number" class="lw-input" min="0" :value="typed[0] ?? (range ?? bounds)[0]" :aria-label="'First step of ' + label" @input="typed[0] = $event.target.value" @change="enter(0)" @blur="typed[0] = null" /></label>
        <label>to <input type="number" class="lw-input" min="0" :value="typed[1] ?? (range ?? bounds)[1]" :aria-label="'Last step of ' + label" @input="typed[1] = $event.target.value" @change="enter(1)" @blur="typed[1] = null" /></label>
        <button v-if="range" type="button" class="lw-text-button" @click="zoom(null)">All steps</button>
        <span class="lw-muted" data-testid="note"><template v-if="odd">{{ number(odd) }} {{ odd === 1 ? "value is" : "values are" }} not finite (dashed). </template>{{ exact ? "" : "Least and greatest of each part; choose steps to see every point." }}</span>
      </div>
      <div v-if="series" class="lw-facts lw-metric__table" :class="{ 'lw-sr-only': !hasTable }" tabindex="0" role="region" :aria-label="'Table: ' + label">
        <table>
          <caption class="lw-sr-only">{{ label }}, the latest points first</caption>
          <thead><tr><th scope="col">Step</th><th v-for="(_, run) in series" :key="run" scope="col" data-kind="number" dir="auto">{{ runs[run] || "Value" }}</th></tr></thead>
          <tbody><tr v-for="[step, values] in rows" :key="step"><th scope="row" class="lw-number">{{ number(step) }}</th><td v-for="(_, run) in series" :key="run" data-kind="number" class="lw-number">{{ valueText(values[run]) }}</td></tr></tbody>
        </table>
      </div>
    </section>`,
};
