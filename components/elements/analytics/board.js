// A board of charts: a grid that a person arranges, and that fills the screen on a wall. Python reads what it shows.
import { computed, nextTick, onMounted, onUnmounted, reactive, ref, shallowReactive } from "vue";
import { duration, number } from "formats";
import { pageLink } from "shared";
import { prepareDrawing } from "drawing";
import { PeopleList } from "people_list";
import { BoardChart } from "board_chart";
import { ChartTable } from "chart_table";

const OWN_ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone ?? "UTC";
// Forms that are text themselves, and need neither a table behind them nor a picture.
const AS_TEXT = new Set(["tiles", "people"]);
const NEXT_SIZE = { s: "m", m: "l", l: "s" };

export default {
  components: { BoardChart, ChartTable, PeopleList },
  props: { catalog: Object, sizes: Object, exportPath: String },
  emits: ["live", "arrange", "open"],
  setup(props, { emit }) {
    prepareDrawing();
    const host = ref(null);
    const charts = ref([]);
    const figures = shallowReactive({});
    const tables = reactive(new Set());
    const range = reactive({ zone: OWN_ZONE, end: 0 });
    const problem = ref("");
    const query = ref("");
    const isEditing = ref(false);
    const isLarge = ref(false);
    const drawn = {}; // the chart components by name

    function show(read, zone, end) {
      Object.assign(range, { zone, end: end ?? 0 });
      for (const figure of read) figures[figure.name] = figure;
    }
    function arrange(wanted, params) {
      charts.value = wanted;
      query.value = params;
    }
    const told = () => charts.value.map((chart) => `${chart.name}.${chart.size}`).join(",") || "none";
    const rearrange = (next) => {
      charts.value = next;
      emit("arrange", told());
    };
    const remove = (name) => rearrange(charts.value.filter((chart) => chart.name !== name));
    const add = (name) => rearrange([...charts.value, { name, size: props.catalog[name].size }]);
    const resize = (name) =>
      rearrange(charts.value.map((chart) => (chart.name === name ? { ...chart, size: NEXT_SIZE[chart.size] } : chart)));
    async function move(index, by) {
      const next = [...charts.value];
      const [moved] = next.splice(index, 1);
      next.splice(index + by, 0, moved);
      rearrange(next);
      await nextTick();
      host.value?.querySelector(`[data-chart="${moved.name}"] [data-move="${by}"]`)?.focus();
    }
    const missing = computed(() =>
      Object.keys(props.catalog).filter((name) => !charts.value.some((chart) => chart.name === name)),
    );

    // On a wall the board is all there is.
    function enlarge() {
      isLarge.value = !isLarge.value;
      document.documentElement.classList.toggle("lw-wall", isLarge.value);
      if (isLarge.value) document.documentElement.requestFullscreen?.().catch(() => {});
      else if (document.fullscreenElement) document.exitFullscreen();
    }
    const leave = (event) => {
      const isOver = event.type === "fullscreenchange" ? !document.fullscreenElement : event.key === "Escape";
      if (isLarge.value && isOver) enlarge();
    };
    onMounted(() => {
      document.addEventListener("fullscreenchange", leave);
      document.addEventListener("keydown", leave);
      emit("live", OWN_ZONE);
    });
    onUnmounted(() => {
      document.removeEventListener("fullscreenchange", leave);
      document.removeEventListener("keydown", leave);
      document.documentElement.classList.remove("lw-wall");
    });

    const open = (chart, series, place) => emit("open", { chart, series, place });
    async function picture(name) {
      const link = document.createElement("a");
      link.href = await drawn[name].picture();
      link.download = `${name}.png`;
      link.click();
    }
    const toggleTable = (name) => tables.delete(name) || tables.add(name);
    const file = (name) => pageLink(`${props.exportPath}&chart=${name}${query.value}&zone=${range.zone}`);
    const shown = (value, unit) =>
      value === null ? "–" : unit === "ms" ? duration(value) : unit === "%" ? number(value) + " %" : number(value);
    return {
      AS_TEXT,
      add,
      arrange,
      charts,
      drawn,
      edit: () => (isEditing.value = !isEditing.value),
      enlarge,
      fail: (text) => (problem.value = text),
      figures,
      file,
      host,
      isEditing,
      isLarge,
      missing,
      move,
      open,
      picture,
      problem,
      range,
      remove,
      resize,
      show,
      shown,
      tables,
      toggleTable,
    };
  },
  template: `
    <div ref="host" class="lw-board" :data-editing="isEditing || undefined">
      <p v-if="problem" class="lw-board__problem" role="alert">{{ problem }}</p>
      <div v-if="isEditing" class="lw-board__add lw-row">
        <span class="lw-muted">{{ missing.length ? "Add:" : "Every chart is on the board." }}</span>
        <button v-for="name in missing" :key="name" type="button" class="lw-button" :data-testid="'add-' + name" @click="add(name)">{{ catalog[name].label }}</button>
        <button type="button" class="lw-button lw-button--primary" data-testid="done" @click="isEditing = false">Done</button>
      </div>
      <button v-if="isLarge" type="button" class="lw-button lw-board__leave" @click="enlarge">Leave the wall view</button>
      <p v-if="!charts.length && !isEditing" class="lw-muted">This board has no charts. Add some with “Arrange”.</p>
      <div class="lw-board__grid">
        <section v-for="(chart, index) in charts" :key="chart.name" class="lw-board__chart" :data-chart="chart.name" :data-size="chart.size" :data-form="figures[chart.name]?.form" :aria-label="catalog[chart.name].label">
          <div class="lw-board__head">
            <div class="lw-board__name"><h2>{{ catalog[chart.name].label }}</h2><p class="lw-muted">{{ catalog[chart.name].note }}</p></div>
            <div v-if="isEditing" class="lw-board__tools">
              <button type="button" class="lw-icon-button" data-move="-1" :disabled="index === 0" :aria-label="'Move ' + catalog[chart.name].label + ' forward'" title="Move forward" @click="move(index, -1)"><i class="lw-icon notranslate" aria-hidden="true">arrow_back</i></button>
              <button type="button" class="lw-icon-button" data-move="1" :disabled="index === charts.length - 1" :aria-label="'Move ' + catalog[chart.name].label + ' back'" title="Move back" @click="move(index, 1)"><i class="lw-icon notranslate" aria-hidden="true">arrow_forward</i></button>
              <button type="button" class="lw-button" data-testid="size" :aria-label="'Size of ' + catalog[chart.name].label + ': ' + sizes[chart.size]" title="Size" @click="resize(chart.name)">{{ sizes[chart.size] }}</button>
              <button type="button" class="lw-icon-button" :aria-label="'Remove ' + catalog[chart.name].label" title="Remove" @click="remove(chart.name)"><i class="lw-icon notranslate" aria-hidden="true">close</i></button>
            </div>
            <div v-else-if="figures[chart.name]?.form === 'people' || figures[chart.name]?.series.length" class="lw-board__tools">
              <button v-if="!AS_TEXT.has(figures[chart.name].form)" type="button" class="lw-icon-button" :aria-pressed="tables.has(chart.name)" :aria-label="'Table of ' + catalog[chart.name].label" title="Table" @click="toggleTable(chart.name)"><i class="lw-icon notranslate" aria-hidden="true">table_rows</i></button>
              <a class="lw-icon-button" :href="file(chart.name)" :aria-label="'Download ' + catalog[chart.name].label + ' as CSV'" title="Download as CSV" download><i class="lw-icon notranslate" aria-hidden="true">download</i></a>
              <button v-if="!AS_TEXT.has(figures[chart.name].form)" type="button" class="lw-icon-button" :aria-label="'Save ' + catalog[chart.name].label + ' as PNG'" title="Save as PNG" @click="picture(chart.name)"><i class="lw-icon notranslate" aria-hidden="true">image</i></button>
            </div>
          </div>
          <div v-if="!figures[chart.name]" class="lw-ghost lw-ghost--chart" aria-hidden="true"></div>
          <dl v-else-if="figures[chart.name].form === 'tiles'" class="lw-board__tiles">
            <div v-for="(each, place) in figures[chart.name].series" :key="each.key"><dt>{{ each.label }}</dt><dd class="lw-number" :data-field="each.key" :data-value="each.values[0]">{{ shown(each.values[0], figures[chart.name].labels[place]) }}</dd></div>
          </dl>
          <people-list v-else-if="figures[chart.name].form === 'people'" class="lw-board__people" />
          <p v-else-if="!figures[chart.name].series.length" class="lw-muted lw-board__hint">{{ catalog[chart.name].hint || "Nothing in this range." }}</p>
          <template v-else>
            <board-chart :ref="(found) => (drawn[chart.name] = found)" :figure="figures[chart.name]" :range="range" :label="catalog[chart.name].label" :is-large="isLarge" @open="(series, place) => open(chart.name, series, place)" />
            <chart-table :figure="figures[chart.name]" :range="range" :label="catalog[chart.name].label" :class="{ 'lw-sr-only': !tables.has(chart.name) }" @open="(series, place) => open(chart.name, series, place)" />
          </template>
        </section>
      </div>
    </div>`,
};
