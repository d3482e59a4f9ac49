// The log of one run: follows the end unless the reader has scrolled up or paused, with search, levels and links to lines.
import { computed, nextTick, onMounted, onUnmounted, reactive, ref, watch } from "vue";
import { number } from "formats";
import { pageLink } from "shared";
import { copyText } from "copying";
import { keep, readKept } from "kept";
import { logRows } from "log_rows";
import { element, headElements, textElement, TONES } from "log_text";
import { virtualRows } from "virtual_rows";

const NEAR_ROWS = 60; // rows from the end of what is here at which more is read
const LINE_HEIGHT = 20; // px, as in logs.css
const HEAD_WIDTH = 120; // px
const CHARACTER_WIDTH = 7.25; // px, for estimates
const TYPING_DELAY = 300; // ms
const WRAP_KEY = "lw-log-wrap";
const COPIED_FOR = 2000; // ms

export default {
  props: { download: String, levels: Array },
  emits: ["live", "older", "newer", "taken", "latest", "go", "jump", "search", "line"],
  setup(props, { emit }) {
    const box = ref(null);
    const state = reactive({
      count: 0, // lines here
      isFollowing: true,
      unseen: 0, // lines that came since it does not follow
      more: false, // whether there are older lines
      isEnd: true, // whether the newest line is here
      isReading: false,
      problem: "", // why lines cannot be read
      refused: "", // why what was asked for was not done
      answer: "none", // to the last search: none yet, known or failed
      said: "",
      wraps: readKept(WRAP_KEY) ?? true,
      selected: 0, // id of the line in the URL
      time: "",
    });
    const query = reactive({ q: "", regex: false, only: false, level: "debug" });
    const matches = ref([]); // ids, ascending
    const current = ref(0); // id of the match that was led to
    let texts = []; // what was searched for, for highlights
    let spans = new Map();
    let revision = 0; // of highlights
    let clear = 0;
    let isLed = false; // whether the page has shown the line of its URL
    const log = logRows();

    const href = (id) => {
      const url = new URL(location.href);
      url.searchParams.set("line", id);
      return url.pathname + url.search;
    };

    function render(row) {
      const { line, fold } = row;
      const made = element("div", "lw-log__line", "", {
        "data-line": line.id,
        "data-level": line.level,
        "data-tone": TONES[line.level],
        "data-gap": line.gap ? "" : undefined,
        "data-found": line.id === current.value ? "current" : line.hit ? "" : undefined,
        "aria-current": line.id === state.selected ? "true" : undefined,
      });
      const [link, ...level] = headElements(line, href(line.id));
      link.onclick = (event) => {
        if (event.ctrlKey || event.metaKey || event.shiftKey) return;
        event.preventDefault();
        choose(line.id === state.selected ? 0 : line.id);
      };
      made.append(link, ...level);
      if (row.isHead) made.append(foldButton(row, fold));
      made.append(textElement(line, texts));
      if (line.id === state.selected) made.append(...actions(line));
      return made;
    }

    function foldButton(row, fold) {
      const text = `${number(fold.lines.length)} updates`;
      const button = element("button", "lw-log__fold", text, { type: "button", "aria-expanded": String(fold.isOpen) });
      button.onclick = () => list.update(() => log.toggle(row));
      return button;
    }

    function actions(line) {
      const copies = {
        "Copy line": () => line.parsed.text,
        "Copy link": () => new URL(href(line.id), location.href).href,
      };
      return Object.entries(copies).map(([label, text]) => {
        const button = element("button", "lw-text-button lw-log__action", label, { type: "button" });
        button.onclick = () => copy(text(), "");
        return button;
      });
    }

    const list = virtualRows({
      rows: () => log.rows,
      render,
      sticks: () => state.isFollowing,
      stamp: ({ line, fold, isHead }) =>
        [
          line.id,
          revision,
          line.id === state.selected,
          line.id === current.value,
          isHead && `${fold.lines.length}${fold.isOpen}`,
        ].join(),
      estimate({ line }, width) {
        const columns = state.wraps ? Math.max(20, (width - HEAD_WIDTH) / CHARACTER_WIDTH) : Infinity;
        return LINE_HEIGHT * Math.max(line.breaks, Math.ceil(line.parsed.text.length / columns));
      },
    });

    function scrolled({ isUp }) {
      if (isUp && !list.atEnd()) state.isFollowing = false;
      else if (!isUp && list.atEnd() && state.isEnd) follow();
      readMore();
    }

    function readMore() {
      if (state.isReading || !log.lines.length) return;
      const [from, to] = list.sight();
      if (from < NEAR_ROWS && state.more) emit("older", log.lines[0].id);
      else if (!state.isEnd && log.rows.length - to < NEAR_ROWS) emit("newer", log.lines.at(-1).id);
      else return;
      state.isReading = true;
    }

    function follow() {
      state.isFollowing = true;
      state.unseen = 0;
      if (state.isEnd) list.bottom();
      else emit("latest");
    }
    const toggleFollowing = () => (state.isFollowing ? (state.isFollowing = false) : follow());

    const read = (fields) =>
      fields.map(([id, at, level, message, hit]) => ({ id, at, level, message, hit: hit ?? spans.get(id) }));

    // Shows lines: `mode` is reset, append or prepend.
    async function show(fields, { mode, more, isEnd, target, isCut }) {
      const lines = read(fields);
      if (isCut && lines.length) lines[0].gap = true;
      if (mode === "append") append(lines, isEnd);
      else if (mode === "prepend") prepend(lines, more);
      else {
        state.isReading = false;
        Object.assign(state, { more, isEnd, unseen: 0, isFollowing: isEnd && !target, count: lines.length });
        log.reset(lines);
        await nextTick(); // the list is in the document with its first lines only
        if (!target || !lead(target)) list.bottom();
        else if (target === state.selected && !isLed) box.value.scrollIntoView({ block: "center" });
        isLed = true;
      }
      state.count = log.lines.length;
      readMore();
    }

    function prepend(lines, more) {
      Object.assign(state, { isReading: false, more });
      let dropped = 0;
      list.update(() => (dropped = log.prepend(lines)));
      if (!dropped) return;
      state.isEnd = false;
      emit("taken", false);
    }

    function append(lines, isEnd) {
      noteMatches(lines);
      Object.assign(state, { isReading: false, isEnd });
      if (state.isFollowing) list.bottom(() => log.append(lines, false) && (state.more = true));
      else {
        list.update(() => log.append(lines, true) && (state.isEnd = false));
        state.unseen += lines.length;
      }
      emit("taken", state.isEnd);
    }

    function noteMatches(lines) {
      const last = matches.value.at(-1) ?? 0;
      const added = lines.filter((line) => line.hit && line.id > last).map((line) => line.id);
      if (added.length && matches.value.length) matches.value = [...matches.value, ...added];
    }

    function lead(id) {
      const index = log.find(id);
      if (index < 0) return false;
      state.isFollowing = false;
      list.update(() => log.open(id));
      list.centre(() => log.find(id));
      return true;
    }

    function go(id) {
      if (!lead(id)) emit("go", id);
    }

    function choose(id) {
      list.update(() => (state.selected = id));
      emit("line", id);
    }

    // Search: the server says which lines match.
    let typing = 0;
    function ask(delay) {
      clearTimeout(typing);
      state.answer = "none";
      typing = setTimeout(() => emit("search", { ...query }), delay);
    }
    watch(
      () => query.q,
      () => ask(TYPING_DELAY),
    );
    watch(
      () => [query.regex, query.only, query.level],
      () => ask(0),
    );

    // Marks what was found: ids, and where; null if the search failed.
    function found(given, marks, words, leads) {
      const ids = given ?? [];
      state.answer = given ? "known" : "failed";
      matches.value = ids;
      texts = words;
      spans = new Map(ids.map((id, index) => [id, marks ? marks[index] : true]));
      revision++;
      for (const line of log.lines) line.hit = spans.get(line.id);
      current.value = 0;
      list.update();
      if (leads && ids.length) step(-1);
    }

    // Leads to the next match, or the previous one for -1, from the last one or from what is in sight.
    function step(direction) {
      const ids = matches.value;
      if (!ids.length) return;
      const bottom = log.rows[list.sight()[1]]?.line.id ?? Infinity;
      const from = current.value || bottom + (direction < 0 ? 1 : 0);
      const after = ids.findIndex((id) => id > from);
      const next = direction > 0 ? after : ids.findLastIndex((id) => id < from);
      current.value = next >= 0 ? ids[next] : direction > 0 ? ids[0] : ids.at(-1);
      revision++;
      go(current.value);
    }

    const matchText = computed(() => {
      if (!query.q.trim() || state.answer === "failed") return "";
      if (state.answer === "none") return "Searching…";
      const total = matches.value.length;
      const position = current.value ? matches.value.indexOf(current.value) + 1 : 0;
      if (!total) return "No matches";
      return position ? `${number(position)} of ${number(total)}` : `${number(total)} matches`;
    });

    const isFiltered = computed(() => query.level !== "debug" || (query.only && Boolean(query.q.trim())));
    const downloads = computed(() => {
      const filter = new URLSearchParams({ ...(query.level !== "debug" && { level: query.level }) });
      if (query.q.trim()) filter.set("q", query.q);
      if (query.q.trim() && query.regex) filter.set("regex", "1");
      return {
        all: pageLink(props.download),
        filtered: pageLink(`${props.download}&${filter}`),
        isAny: [...filter].length > 0,
      };
    });

    function refuse(text) {
      Object.assign(state, { refused: text, isReading: false });
      if (text && state.answer === "none") state.answer = "failed";
    }

    async function copy(text, done) {
      clearTimeout(clear);
      try {
        await copyText(text);
        state.said = `Copied${done}`;
      } catch {
        state.said = "This browser does not let pages copy";
      }
      clear = setTimeout(() => (state.said = ""), COPIED_FOR);
    }

    function toggleWrap() {
      state.wraps = !state.wraps;
      keep(WRAP_KEY, state.wraps);
      nextTick(() => (list.forget(), state.isFollowing ? list.bottom() : list.update()));
    }

    function jump() {
      const at = new Date(state.time).getTime();
      if (Number.isFinite(at)) emit("jump", at);
    }

    watch(box, (element) => {
      list.attach(element, scrolled);
      if (element && state.isFollowing) list.bottom();
    });
    onMounted(() => emit("live"));
    onUnmounted(() => (list.close(), clearTimeout(typing), clearTimeout(clear)));

    return {
      box,
      copyAll: () => copy(log.plain(), ` ${number(log.lines.length)} lines`),
      downloads,
      fail: (text) => ((state.problem = text), (state.isReading = false)),
      refuse,
      follow,
      found,
      isFiltered,
      jump,
      matches,
      matchText,
      number,
      query,
      select: (id) => list.update(() => (state.selected = id)),
      show,
      state,
      step,
      toggleFollowing,
      toggleWrap,
    };
  },
  template: `
    <section v-if="state.count || isFiltered || query.q || state.problem || state.refused" class="lw-section lw-log" aria-label="Log">
      <h2>Log</h2>
      <div class="lw-log__tools" role="search" aria-label="Search the log">
        <div class="lw-controls__search"><i class="lw-icon notranslate" aria-hidden="true">search</i>
          <input v-model="query.q" type="search" :placeholder="query.regex ? 'Regular expression' : 'Search the log'" aria-label="Search the log" maxlength="500" autocomplete="off" autocapitalize="off" spellcheck="false"
                 @keydown.enter.exact.prevent="step(-1)" @keydown.shift.enter.prevent="step(1)"></div>
        <button type="button" class="lw-log__toggle" :aria-pressed="String(query.regex)" title="Regular expression" aria-label="Regular expression" @click="query.regex = !query.regex">.*</button>
        <template v-if="query.q.trim()">
          <span class="lw-muted lw-number" role="status" data-testid="log-matches">{{ matchText }}</span>
          <button type="button" class="lw-text-button" :disabled="!matches.length" @click="step(-1)">Previous</button>
          <button type="button" class="lw-text-button" :disabled="!matches.length" @click="step(1)">Next</button>
          <button type="button" class="lw-log__toggle" :aria-pressed="String(query.only)" @click="query.only = !query.only">Only matches</button>
        </template>
        <select v-model="query.level" class="lw-select" aria-label="Level">
          <option v-for="(each, index) in levels" :key="each" :value="each">{{ index ? each[0].toUpperCase() + each.slice(1) + (index === levels.length - 1 ? '' : ' and above') : 'All levels' }}</option></select>
        <label class="lw-log__jump"><span class="lw-sr-only">Jump to time</span>
          <input v-model="state.time" type="datetime-local" step="1" class="lw-select" title="Jump to time" @change="jump" @keydown.enter="jump"></label>
        <span class="lw-log__end">
          <span class="lw-muted" role="status">{{ state.said }}</span>
          <button type="button" class="lw-log__toggle" :aria-pressed="String(state.wraps)" @click="toggleWrap">Wrap</button>
          <button type="button" class="lw-icon-button" title="Copy these lines" aria-label="Copy these lines" @click="copyAll"><i class="lw-icon notranslate" aria-hidden="true">content_copy</i></button>
          <a class="lw-icon-button" :href="downloads.all" download title="Download the whole log" aria-label="Download the whole log"><i class="lw-icon notranslate" aria-hidden="true">download</i></a>
          <a v-if="downloads.isAny" class="lw-text-button lw-log__link" :href="downloads.filtered" download>Download filtered</a>
          <button type="button" class="lw-log__toggle" data-testid="log-follow" @click="toggleFollowing">{{ state.isFollowing ? 'Pause' : 'Follow' }}</button>
        </span>
      </div>
      <p v-if="state.problem || state.refused" class="lw-log__problem" role="alert">{{ state.problem || state.refused }}</p>
      <div class="lw-log__frame">
        <div ref="box" class="lw-log__lines" :data-wraps="state.wraps || undefined" tabindex="0" role="log" aria-live="off" aria-label="Lines of the log"><div class="lw-log__sheet"></div></div>
        <p v-if="!state.count" class="lw-log__empty lw-log__none">No line matches.</p>
        <button v-if="!state.isFollowing && (state.unseen || !state.isEnd)" type="button" class="lw-log__new" data-testid="log-new" @click="follow">
          {{ state.unseen ? number(state.unseen) + (state.unseen === 1 ? ' new line' : ' new lines') : 'Latest lines' }}</button>
      </div>
    </section>`,
};
