// Search in the logs of the organisation: a query, a level and a range of time, and the lines that were found, latest first.
import { computed, nextTick, onMounted, onUnmounted, reactive, ref, watch } from "vue";
import { exactTime, momentOf, number } from "formats";
import { pageLink, serverNow } from "shared";
import { parse } from "ansi";
import { textElement, TONES } from "log_text";

const TYPING_DELAY = 400; // ms
const PERIODS = {
  "": "Any time",
  "15m": "Last 15 minutes",
  "1h": "Last hour",
  "1d": "Last 24 hours",
  "7d": "Last 7 days",
};
const BETWEEN = "between";

// The text of a line is made by hand, as in the log of a run.
const LineText = {
  props: { line: Object, texts: Array },
  setup(props) {
    const box = ref(null);
    const fill = () => box.value.replaceChildren(textElement(props.line, props.texts));
    onMounted(fill);
    return { box };
  },
  template: `<span ref="box" class="lw-found-line__text"></span>`,
};

// The value of an input for a time in the URL, which is in UTC; empty for what is no time.
function localTime(given) {
  const ms = Date.parse(given ?? "");
  if (!Number.isFinite(ms)) return "";
  const zone = new Date(ms).getTimezoneOffset() * 60000;
  return new Date(ms - zone).toISOString().slice(0, 19);
}
const utcTime = (local) => (local && Number.isFinite(Date.parse(local)) ? new Date(local).toISOString() : "");

export default {
  components: { LineText },
  props: { levels: Array, params: Object, download: String },
  emits: ["live", "search", "more"],
  setup(props, { emit }) {
    const query = reactive({});
    const state = reactive({ lines: null, note: "", problem: "", isMore: false, isSearching: true, texts: [] });
    let typing = 0;
    let isGiven = false; // whether the query was set by the URL

    function take(params) {
      isGiven = true;
      const isPeriod = !params.to && (params.from ?? "") in PERIODS;
      Object.assign(query, {
        q: params.q ?? "",
        job: params.job ?? "",
        regex: params.regex === "1",
        level: props.levels.includes(params.level) ? params.level : props.levels[0],
        period: isPeriod ? (params.from ?? "") : BETWEEN,
        from: isPeriod ? "" : localTime(params.from),
        to: localTime(params.to),
      });
      nextTick(() => (isGiven = false));
    }
    take(props.params);

    const params = computed(() => {
      const given = {
        q: query.q.trim(),
        regex: query.regex && query.q.trim() ? "1" : "",
        level: query.level === props.levels[0] ? "" : query.level,
        from: query.period === BETWEEN ? utcTime(query.from) : query.period,
        to: query.period === BETWEEN ? utcTime(query.to) : "",
        job: query.job,
      };
      return Object.fromEntries(Object.entries(given).filter(([, value]) => value));
    });

    function search(delay, isTyping = false) {
      if (isGiven) return;
      clearTimeout(typing);
      state.isSearching = true;
      typing = setTimeout(() => emit("search", params.value, isTyping), delay);
    }
    watch(
      () => query.q,
      () => search(TYPING_DELAY, true),
    );
    watch(
      () => [query.regex, query.level, query.period, query.from, query.to, query.job],
      () => search(0),
    );

    const read = (fields) => ({ ...fields, parsed: parse(fields.message) });
    // Shows what was found, in place of the lines before or after them.
    function show(lines, { isFirst, isMore, note, problem, texts }) {
      state.lines = isFirst ? lines.map(read) : [...(state.lines ?? []), ...lines.map(read)];
      Object.assign(state, { isMore, note, problem, texts, isSearching: false });
    }
    function more() {
      state.isSearching = true;
      emit("more");
    }

    const summary = computed(() => {
      if (state.lines === null || state.problem) return "";
      const count = state.lines.length;
      return `${number(count)}${state.isMore ? "+" : ""} ${count === 1 && !state.isMore ? "line" : "lines"}`;
    });
    onMounted(() => emit("live"));
    onUnmounted(() => clearTimeout(typing));
    const moment = (at) => momentOf(at, serverNow());
    const downloadLink = computed(() => pageLink(`${props.download}&${new URLSearchParams(params.value)}`));
    return {
      BETWEEN,
      downloadLink,
      exactTime,
      moment,
      more,
      pageLink,
      params,
      PERIODS,
      query,
      search,
      show,
      state,
      summary,
      take,
      TONES,
    };
  },
  template: `
    <div class="lw-log">
      <form class="lw-log__tools" role="search" aria-label="Search the logs" @submit.prevent="search(0)">
        <div class="lw-controls__search"><i class="lw-icon notranslate" aria-hidden="true">search</i>
          <input v-model="query.q" type="search" :placeholder="query.regex ? 'Regular expression' : query.job ? 'Search the logs of this job' : 'Search the logs of all runs'" aria-label="Search the logs" data-lw-search maxlength="500" autocomplete="off" autocapitalize="off" spellcheck="false"></div>
        <button type="button" class="lw-log__toggle" :aria-pressed="String(query.regex)" title="Regular expression" aria-label="Regular expression" @click="query.regex = !query.regex">.*</button>
        <select v-model="query.level" class="lw-select" aria-label="Level">
          <option v-for="(each, index) in levels" :key="each" :value="each">{{ index ? each[0].toUpperCase() + each.slice(1) + (index === levels.length - 1 ? '' : ' and above') : 'All levels' }}</option></select>
        <select v-model="query.period" class="lw-select" aria-label="Time">
          <option v-for="(label, value) in PERIODS" :key="value" :value="value">{{ label }}</option>
          <option :value="BETWEEN">Between…</option></select>
        <template v-if="query.period === BETWEEN">
          <input v-model.lazy="query.from" type="datetime-local" step="1" class="lw-select" aria-label="From">
          <input v-model.lazy="query.to" type="datetime-local" step="1" class="lw-select" aria-label="Until"></template>
        <button v-if="query.job" type="button" class="lw-log__toggle" aria-pressed="true" :title="'The latest runs of ' + query.job + '. Search all runs'" @click="query.job = ''">Job <bdi>{{ query.job.slice(query.job.indexOf('/') + 1) }}</bdi> ×</button>
        <span class="lw-log__end">
          <span class="lw-muted lw-number" role="status" data-testid="log-count">{{ state.isSearching ? 'Searching…' : summary }}</span>
          <button type="submit" class="lw-button">Search</button>
          <a class="lw-icon-button" :href="downloadLink" download title="Download all that match" aria-label="Download all that match"><i class="lw-icon notranslate" aria-hidden="true">download</i></a>
        </span>
      </form>
      <p v-if="state.problem" class="lw-log__problem" role="alert">{{ state.problem }}</p>
      <div v-if="state.lines === null && !state.problem" class="lw-ghost" aria-hidden="true"><i></i><i></i><i></i></div>
      <ul v-if="state.lines?.length" class="lw-log__found" aria-label="Lines found">
        <li v-for="line in state.lines" :key="line.id + ' ' + state.texts" class="lw-found-line lw-log__line" :data-tone="TONES[line.level]" :data-level="line.level" :data-line="line.id">
          <div class="lw-found-line__head">
            <a v-if="line.href" :href="pageLink(line.href)" class="lw-log__at" :aria-label="'Line of ' + exactTime(line.at) + ' in ' + line.run"><time :title="exactTime(line.at)">{{ moment(line.at) }}</time></a>
            <time v-else class="lw-log__at" :title="exactTime(line.at)">{{ moment(line.at) }}</time>
            <span v-if="line.level !== 'info'" class="lw-log__level">{{ line.level }}</span>
            <bdi class="lw-clip lw-muted" :title="line.run">{{ line.run }}</bdi></div>
          <line-text :line="line" :texts="state.texts" /></li>
      </ul>
      <p v-if="state.lines && !state.lines.length && !state.isSearching && !state.problem" class="lw-log__empty">{{ state.isMore ? 'Nothing was found yet.' : Object.keys(params).length ? 'No line matches.' : 'No run has written to its log yet.' }}</p>
      <p v-if="state.note || state.isMore" class="lw-log__foot"><span v-if="state.note" class="lw-muted" role="status">{{ state.note }}</span>
        <button v-if="state.isMore" type="button" class="lw-button" :disabled="state.isSearching" @click="more">{{ state.note ? 'Search on' : 'Earlier lines' }}</button></p>
    </div>`,
};
