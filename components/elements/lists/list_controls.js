// Search, facets, selects and sorting of a list. Python owns the state; input here is applied optimistically.
import { computed, onMounted, reactive, ref, shallowRef } from "vue";
import PeriodPicker from "period_picker";
import { number } from "formats";
import { live } from "parts";
import { pageLink } from "shared";

const TYPING_DELAY_MS = 120; // ms

// A component of its own, so that a count, which changes with the work, does not render the controls again.
const FilterCount = {
  directives: { live },
  props: { counts: Object, name: String, bound: String },
  setup: () => ({ number }),
  template: `<span class="lw-number lw-filter__count" v-live="(number(counts[name]) ?? '') + (counts[name] ? bound : '')"></span>`,
};

export default {
  components: { FilterCount, PeriodPicker },
  props: {
    periods: Object,
    facets: Array,
    sorts: Array,
    state: Object,
    exportPath: String,
    noun: String,
    offersMarkAll: Boolean,
  },
  emits: ["live", "change", "histogram", "markAll", "options"],
  setup(props, { emit }) {
    const state = reactive({ q: "", sort: "", chosen: {}, period: {}, problem: "", ...props.state });
    const counts = reactive({});
    const options = reactive({});
    const further = reactive({}); // values of selects that only older rows have
    const summary = reactive({ shown: null, total: null, bound: "" });
    const isKnown = ref(false);
    const exportQuery = ref("");
    const input = ref(null);
    const isOpen = ref(false); // the sheet with the filters, on phones
    let typing = 0;

    function apply(batch) {
      const set = batch.set ?? {};
      Object.assign(counts, set.counts);
      Object.assign(options, set.options);
      // A chosen value that no row here has is shown by its name once that is known.
      for (const [facet, values] of Object.entries(set.options ?? {})) {
        if (values.some((each) => each.value === each.label && isOn(facet, each.value))) askFor(facet);
      }
      Object.assign(summary, set.summary);
      if (set.summary) isKnown.value = !set.summary.refused;
      if (set.summary?.refused) for (const key of Object.keys(counts)) delete counts[key];
      if (set.state) {
        exportQuery.value = set.state.query;
        const isAhead = typing || document.activeElement === input.value;
        Object.assign(state, set.state, isAhead && { q: state.q });
      }
    }

    const change = () => emit("change", { q: state.q, sort: state.sort, chosen: state.chosen, ...state.period });
    const histogram = shallowRef(null);
    function range(period) {
      histogram.value = null;
      state.period = period;
      change();
      if ("zone" in period) emit("histogram"); // it stays open
    }
    function search(event) {
      state.q = event.target.value;
      clearTimeout(typing);
      typing = setTimeout(() => ((typing = 0), change()), TYPING_DELAY_MS);
    }
    function toggle(facet, value) {
      const chosen = new Set(state.chosen[facet] ?? []);
      if (!chosen.delete(value)) chosen.add(value);
      state.chosen = { ...state.chosen, [facet]: [...chosen] };
      change();
    }
    function choose(facet, event) {
      state.chosen = { ...state.chosen, [facet]: event.target.value ? [event.target.value] : [] };
      change();
    }
    // Every value, by label; those of older rows are asked for when somebody looks.
    function optionsOf(facet) {
      const labels = new Map(
        [...(further[facet] ?? []), ...(options[facet] ?? [])].map((each) => [each.value, each.label]),
      );
      return [...labels].map(([value, label]) => ({ value, label })).sort((a, b) => a.label.localeCompare(b.label));
    }
    function askFor(facet) {
      if (further[facet]) return;
      further[facet] = [];
      emit("options", facet);
    }
    function clear() {
      Object.assign(state, { q: "", chosen: {}, period: {} });
      change();
      input.value?.focus();
    }
    const isOn = (facet, value) => (state.chosen[facet] ?? []).includes(value);
    const chosenCount = () => Object.values(state.chosen).reduce((sum, values) => sum + values.length, 0);
    const isFiltered = () =>
      state.q.trim() ||
      state.period.from ||
      state.period.to ||
      Object.values(state.chosen).some((values) => values.length);

    // How many rows match, of how many; what is not known yet is not shown as a number.
    const summaryText = computed(() => {
      const { shown, total, bound } = summary;
      if (!isFiltered())
        return total === null ? "Counting…" : `${number(total)} ${total === 1 ? one.value : props.noun}`;
      if (shown === null) return "Counting…";
      const amount = { "": "", more: "more than ", least: "at least " }[bound] + number(shown);
      return total === null ? amount : `${amount} of ${number(total)}`;
    });
    const one = computed(() => props.noun.replace(/s$/, ""));
    const plus = computed(() => (summary.bound ? "+" : ""));

    onMounted(() => emit("live"));
    return {
      apply,
      askFor,
      change,
      choose,
      chosenCount,
      clear,
      counts,
      exportQuery,
      histogram,
      input,
      isFiltered,
      isKnown,
      isOn,
      isOpen,
      number,
      optionsOf,
      pageLink,
      plus,
      range,
      search,
      showOptions: (facet, values) => (further[facet] = values),
      showHistogram: (counts) => (histogram.value = counts),
      state,
      summary,
      summaryText,
      toggle,
    };
  },
  template: `
    <div class="lw-controls" role="search" :aria-label="'Filter ' + noun">
      <div class="lw-controls__search">
        <i class="lw-icon notranslate" aria-hidden="true">search</i>
        <input ref="input" type="search" :value="state.q" :placeholder="'Search ' + noun" :aria-label="'Search ' + noun"
               data-testid="search" data-lw-search maxlength="200" autocomplete="off" spellcheck="false"
               @input="search" @keydown.esc="state.q && clear()">
      </div>
      <period-picker :periods="periods" :period="state.period" :problem="state.problem" :histogram="histogram" :noun="noun" @choose="range" @histogram="$emit('histogram')" />
      <button v-if="facets.length" type="button" class="lw-button lw-controls__filters" :aria-expanded="isOpen" data-testid="filters" @click="isOpen = true">
        <i class="lw-icon notranslate" aria-hidden="true">tune</i>Filters<span v-if="chosenCount()" class="lw-count lw-number">{{ chosenCount() }}</span></button>
      <span class="lw-controls__end">
        <span v-if="isKnown" class="lw-controls__summary lw-number" role="status" data-testid="summary"
              :data-shown="summary.shown" :data-total="summary.total">{{ summaryText }}</span>
        <button v-if="isFiltered()" type="button" class="lw-text-button" data-testid="clear" @click="clear">Clear</button>
        <button v-if="offersMarkAll" type="button" class="lw-text-button" data-testid="mark-all" :disabled="!counts['show:unread']" @click="$emit('markAll')">
          {{ isFiltered() && counts['show:unread'] ? 'Mark ' + number(counts['show:unread']) + ' as read' : 'Mark all as read' }}</button>
        <select v-if="sorts.length > 1" class="lw-select" aria-label="Sort" data-testid="sort" v-model="state.sort" @change="change">
          <option v-for="sort in sorts" :key="sort.value" :value="sort.value">{{ sort.label }}</option>
        </select>
        <a v-if="exportPath" class="lw-icon-button" :href="pageLink(exportPath) + exportQuery" download data-testid="export"
           title="Export as CSV" :aria-label="'Export these ' + noun + ' as CSV'"><i class="lw-icon notranslate" aria-hidden="true">download</i></a>
        <a v-if="exportPath" class="lw-icon-button lw-controls__json" :href="pageLink(exportPath.replace('.csv', '.json')) + exportQuery" download data-testid="export-json"
           title="Export as JSON" :aria-label="'Export these ' + noun + ' as JSON'"><i class="lw-icon notranslate" aria-hidden="true">data_object</i></a>
        <slot name="tools"></slot>
      </span>
      <div class="lw-controls__sheet" :data-open="isOpen || undefined" @keydown.esc="isOpen = false">
        <select v-for="facet in facets.filter((each) => each.kind === 'select')" :key="facet.name" class="lw-select" :aria-label="facet.label"
                :data-facet="facet.name" :value="(state.chosen[facet.name] ?? [''])[0] ?? ''" @focus="askFor(facet.name)" @change="choose(facet.name, $event)">
          <option value="">{{ facet.label }}: all</option>
          <option v-for="option in optionsOf(facet.name)" :key="option.value" :value="option.value">{{ option.label }}</option>
        </select>
        <div v-for="facet in facets.filter((each) => each.kind === 'chips')" :key="facet.name" class="lw-filters" role="group" :aria-label="facet.label">
          <button v-for="option in facet.options" :key="option.value" type="button" class="lw-filter" :data-tone="option.tone"
                  :data-facet="facet.name" :data-option="option.value" :aria-pressed="isOn(facet.name, option.value)"
                  @click="toggle(facet.name, option.value)">
            <i v-if="option.icon" class="lw-icon notranslate" aria-hidden="true">{{ option.icon }}</i>{{ option.label }}
            <filter-count :counts="counts" :name="facet.name + ':' + option.value" :bound="plus" />
          </button>
        </div>
        <button type="button" class="lw-button lw-controls__close" @click="isOpen = false">Show {{ number(summary.shown) }} {{ noun }}</button>
      </div>
    </div>`,
};
