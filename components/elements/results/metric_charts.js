// Charts of the metrics of a run, or of several runs over each other. Python reads what is on the screen.
import { computed, onMounted, ref, shallowReactive } from "vue";
import { number } from "formats";
import { pageLink } from "shared";
import { MetricChart } from "metric_chart";

const FIRST = 24; // charts before “Show more”
const SEARCHABLE = 8;

export default {
  components: { MetricChart },
  props: { runs: Number, download: String },
  emits: ["live", "want", "zoom"],
  setup(props, { emit }) {
    const metrics = ref([]); // [name, label, what each run has of it]
    const names = ref([]);
    const whole = shallowReactive({}); // points by name and run
    const parts = shallowReactive({}); // points of the chosen steps
    const ranges = shallowReactive({});
    const exact = shallowReactive({});
    const problem = ref("");
    const query = ref("");
    const most = ref(FIRST);
    const seen = new Set();

    const matching = computed(() => {
      const wanted = query.value.trim().toLowerCase();
      return wanted ? metrics.value.filter((each) => each[1].toLowerCase().includes(wanted)) : metrics.value;
    });
    const shown = computed(() => matching.value.slice(0, most.value));
    function see(name, isSeen) {
      if (isSeen === seen.has(name)) return;
      if (isSeen) seen.add(name);
      else seen.delete(name);
      emit("want", [...seen]);
    }
    const empty = () => Array.from({ length: props.runs }, () => []);
    const put = (table, name, run, points) => {
      const next = [...(table[name] ?? empty())];
      next[run] = points;
      table[name] = next;
    };
    function draw(name, run, points, isExact) {
      put(whole, name, run, points);
      put(exact, name, run, isExact);
    }
    function extend(name, run, points) {
      const known = whole[name]?.[run] ?? [];
      const last = known.at(-1)?.[0] ?? -1;
      put(whole, name, run, [...known, ...points.filter((point) => point[0] > last)]);
    }
    function detail(name, run, points, isExact, steps) {
      if (String(steps) !== String(ranges[name] ?? null)) return; // another part was chosen meanwhile
      if (points) put(parts, name, run, points);
      else delete parts[name];
      put(exact, `${name}\n`, run, isExact);
    }
    function zoom(name, range) {
      if (range) ranges[name] = range;
      else {
        delete ranges[name];
        delete parts[name];
      }
      emit("zoom", { name, first: range?.[0] ?? null, last: range?.[1] ?? null });
    }
    // What is around the chosen steps stays as it was, so that the slider has the whole.
    function seriesOf(name) {
      const [all, part, range] = [whole[name], parts[name], ranges[name]];
      if (!all || !part || !range) return all;
      return all.map((points, run) => [
        ...points.filter((point) => point[0] < range[0]),
        ...part[run],
        ...points.filter((point) => point[0] > range[1]),
      ]);
    }
    const isExact = (name) => (exact[ranges[name] ? `${name}\n` : name] ?? []).every((each) => each !== false);
    onMounted(() => emit("live"));
    return {
      detail,
      draw,
      extend,
      fail: (text) => (problem.value = text),
      isExact,
      list: (all) => (metrics.value = all),
      matching,
      metrics,
      most,
      nameRuns: (given) => (names.value = given),
      names,
      number,
      pageLink,
      problem,
      query,
      ranges,
      SEARCHABLE,
      see,
      seriesOf,
      shown,
      zoom,
    };
  },
  template: `
    <section v-show="metrics.length || problem" class="lw-section lw-metrics" aria-label="Metrics">
      <div class="lw-metrics__head">
        <h2>Metrics</h2>
        <input v-if="metrics.length > SEARCHABLE" v-model="query" type="search" class="lw-input" placeholder="Filter metrics" aria-label="Filter metrics" />
        <a v-if="download" class="lw-button" :href="pageLink(download)" download>Download CSV</a>
      </div>
      <p v-if="problem" class="lw-muted" role="alert">{{ problem }}</p>
      <p v-if="metrics.length && !matching.length" class="lw-muted">No matches. Clear the filter.</p>
      <div class="lw-metrics__grid">
        <metric-chart v-for="[name, label, facts] in shown" :key="name" :name="name" :label="label" :facts="facts" :series="seriesOf(name)" :range="ranges[name] ?? null" :runs="names" :exact="isExact(name)" @seen="(isSeen) => see(name, isSeen)" @zoom="(range) => zoom(name, range)" />
      </div>
      <button v-if="matching.length > shown.length" type="button" class="lw-button" @click="most += 48">Show more: {{ number(matching.length - shown.length) }} left</button>
    </section>`,
};
