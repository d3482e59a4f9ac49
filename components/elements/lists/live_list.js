// A list of live rows: applies batches from Python and re-renders only the rows that they name.
import { computed, nextTick, onMounted, onUnmounted, ref, shallowReactive, shallowRef, watch } from "vue";
import { missingText, momentOf } from "formats";
import { feedLostAt, lateAt, lostAt, mayMove, pageLink, useNow } from "shared";
import { templateOf } from "row_templates";
import { useSelection } from "selection";

const TOO_MANY_TO_MOVE = 300;
const ANSWER_TIME = 5000;
// Milliseconds before a lost connection dims the list.
const SHORT_LOSS = 800;
// Screens of rows rendered beyond the viewport, and rows left before more are requested.
const AHEAD = 80;
// Pulsing dots beyond this number distract and dominate the rendering cost.
const RESTFUL = 24;
const SETTLED = { new: 0, moved: false };
const MOVE = { duration: 240, easing: "cubic-bezier(0.2, 0, 0, 1)" };

export default {
  props: {
    template: String,
    table: String,
    path: String,
    statusStyles: Object,
    skeletons: Number,
    emptyIcon: String,
    emptyText: String,
    offersConnect: Boolean,
    label: String,
    noun: String,
    pages: Boolean, // requests more rows on scrolling
    selects: Boolean, // a row's link selects the row instead of navigating
    selected: String,
    choosable: Boolean, // rows have checkboxes
    actionKeys: Array, // keys of actions on the chosen rows
  },
  emits: [
    "act",
    "back",
    "choose",
    "exportFailed",
    "live",
    "markRead",
    "markUnread",
    "scroll",
    "select",
    "settle",
    "unfold",
  ],
  setup(props, { emit }) {
    const template = templateOf(props.template);
    const rows = new Map();
    const order = shallowRef(null); // null until the first batch
    const host = ref(null);
    const staleSince = ref(null);
    const clock = useNow();
    const facts = shallowReactive({
      first: 0,
      total: 0,
      more: 0,
      waiting: SETTLED,
      filtered: false,
      folds: {},
      missing: "",
    });
    const space = shallowReactive({ above: 0, below: 0 });
    const moves = new WeakMap();
    const waiting = new Set();
    const storage = "lw-waiting-" + props.template;

    function merge(id, fields, isWhole) {
      const row = rows.get(id);
      if (!row) return void rows.set(id, shallowReactive({ ...fields }));
      if (isWhole) for (const name of Object.keys(row)) if (!(name in fields)) delete row[name];
      Object.assign(row, fields);
      if (row.pending) row.pending = false;
    }

    function arrange(ids) {
      const kept = new Set(ids);
      for (const id of rows.keys()) if (!kept.has(id)) rows.delete(id);
      order.value = ids.filter((id) => rows.has(id));
    }

    function apply(batch) {
      for (const name of Object.keys(facts)) {
        const fact = (batch.reset ?? batch)[name];
        if (fact !== undefined) facts[name] = fact;
      }
      if (batch.reset) {
        for (const [id, fields] of Object.entries(batch.reset.rows)) merge(id, fields, true);
        arrange(batch.reset.order);
        measure();
        nextTick(() => (measure(), checkScroll()));
        return resume();
      }
      if (order.value === null) return; // before the first reset, which will include this change
      for (const [id, fields] of Object.entries(batch.set ?? {})) {
        if (rows.has(id) || batch.order) merge(id, fields, false);
      }
      // Update rows and spacer together; otherwise scroll anchoring follows the moved rows.
      if (batch.order) glide(() => keepFocus(() => (arrange(batch.order), measure()))).then(measure);
      if (waiting.size) keepWaiting();
    }

    // Moved rows slide and new rows rise into place. Web Animations instead of Vue's transitions, which remove leaving
    // elements in animation frames, and hidden tabs have none.
    let glidedAt = 0;
    async function glide(change) {
      const before = new Map();
      const isBusy = performance.now() - glidedAt < 2 * MOVE.duration; // overlapping animations would be unreadable
      glidedAt = performance.now();
      if (!isBusy && mayMove() && order.value.length <= TOO_MANY_TO_MOVE && host.value) {
        for (const child of host.value.children) before.set(child, child.getBoundingClientRect());
      }
      const wasEmpty = order.value.length === 0;
      change();
      await nextTick();
      if (isBusy || (!before.size && !wasEmpty)) return;
      const children = [...(host.value?.children ?? [])];
      for (const child of children) moves.get(child)?.cancel();
      const after = children.map((child) => child.getBoundingClientRect());
      for (const [index, child] of children.entries()) animate(child, before.get(child), after[index]);
    }

    function animate(child, from, to) {
      if (!mayMove() || to.bottom < 0 || to.top > innerHeight) return;
      if (!from) return void child.animate({ transform: ["translateY(6px)", "none"] }, MOVE);
      const [x, y] = [from.left - to.left, from.top - to.top];
      if (x || y) moves.set(child, child.animate({ transform: [`translate(${x}px, ${y}px)`, "none"] }, MOVE));
    }

    // Spacers have the heights of the rows that they stand for, by the mean of those that are there. `line`: one row of
    // the grid.
    let reported = { first: 0, reading: false };

    function grid() {
      const style = getComputedStyle(host.value);
      const columns = style.display === "grid" ? style.gridTemplateColumns.split(" ").length : 1;
      const gap = parseFloat(style.rowGap) || 0;
      return { columns, line: (host.value.offsetHeight + gap) / Math.ceil(host.value.childElementCount / columns) };
    }

    function measure() {
      if (!props.pages || !host.value?.firstElementChild) return void Object.assign(space, { above: 0, below: 0 });
      const { columns, line } = grid();
      const after = Math.max(0, facts.total - facts.first - order.value.length);
      Object.assign(space, {
        above: Math.ceil(facts.first / columns) * line,
        below: Math.ceil(after / columns) * line,
      });
    }

    function checkScroll() {
      if (!host.value?.firstElementChild) return;
      const { columns, line } = grid();
      const top = host.value.getBoundingClientRect().top - space.above;
      const seen = Math.max(0, Math.floor(-top / line) * columns);
      const last = seen + Math.ceil(innerHeight / line) * columns;
      const reading = -top > line;
      const end = facts.first + order.value.length;
      const isEnding = end < facts.total ? last + columns > end : facts.more > 0 && last + AHEAD / 2 > end;
      const isShort = (seen < facts.first + columns && facts.first > 0) || isEnding;
      const first = isShort ? Math.max(0, Math.floor((seen - AHEAD) / columns) * columns) : facts.first;
      if (first === reported.first && reading === reported.reading) return;
      reported = { first, reading };
      emit("scroll", reported);
    }

    const resized = new ResizeObserver(() => measure());

    function settle() {
      reported = { first: 0, reading: false };
      emit("settle");
      const top = host.value.getBoundingClientRect().top - space.above;
      if (top < 0) scrollBy({ top: top - 120, behavior: "instant" });
    }

    // A row marked as read is pending until it comes back as read. Pending marks survive a lost server (the socket
    // resends them) and a reload (sessionStorage).
    function markRead(id) {
      waiting.add(id);
      keepWaiting();
      const row = rows.get(id);
      row.pending = true;
      emit("markRead", id);
      setTimeout(function giveUp() {
        if (lostAt.value) return setTimeout(giveUp, ANSWER_TIME);
        row.pending = false; // allow another attempt if the server does not respond
        waiting.delete(id);
        keepWaiting();
      }, ANSWER_TIME);
    }

    // NiceGUI handles links in an ancestor.
    function select(event, id) {
      if (!props.selects || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
      event.preventDefault();
      event.stopPropagation();
      emit("select", id);
    }

    const selection = useSelection(order, emit, () => props.actionKeys ?? []);

    // Arrow keys move the focus from row to row; Tab leaves the list, past the controls of the row.
    const focused = ref(null);
    const stopAt = computed(() => (order.value?.includes(focused.value) ? focused.value : order.value?.[0]));
    const rowOf = (element) => element.closest?.("[role=listitem]");
    function follow(event) {
      focused.value = rowOf(event.target)?.dataset.id ?? focused.value;
    }
    function move(event) {
      const steps = { ArrowDown: 1, ArrowUp: -1, Home: -Infinity, End: Infinity };
      const step = steps[event.key];
      const from = order.value.indexOf(rowOf(event.target)?.dataset.id);
      if (from < 0) return;
      const to = step === undefined ? -1 : Math.min(order.value.length - 1, Math.max(0, from + step));
      const isChoice = props.choosable && selection.press(event, order.value[from], order.value[to]);
      if (isChoice) event.preventDefault();
      if (to < 0 || event.altKey || event.ctrlKey || event.metaKey || (event.shiftKey && !isChoice)) return;
      event.preventDefault();
      focusRow(to);
    }
    function focusRow(index) {
      focused.value = order.value[index];
      host.value?.children[index]?.querySelector("a, button")?.focus();
    }
    // The row after one that goes takes its focus, so that the keyboard stays in the list.
    function keepFocus(change) {
      const at = order.value.indexOf(
        host.value?.contains(document.activeElement) && rowOf(document.activeElement)?.dataset.id,
      );
      change();
      if (at < 0) return;
      nextTick(() => document.activeElement === document.body && focusRow(Math.min(at, order.value.length - 1)));
    }

    function keepWaiting() {
      for (const id of waiting) if (rows.get(id)?.is_read) waiting.delete(id);
      if (waiting.size) sessionStorage[storage] = JSON.stringify([...waiting]);
      else sessionStorage.removeItem(storage);
    }

    function resume() {
      for (const id of JSON.parse(sessionStorage[storage] ?? "[]")) {
        if (rows.has(id) && !rows.get(id).is_read && !waiting.has(id)) markRead(id);
      }
      keepWaiting();
    }

    const root = ref(null);
    onMounted(() => {
      emit("live");
      if (!props.pages) return;
      addEventListener("scroll", checkScroll, { passive: true }); // at most once per frame
      resized.observe(root.value);
    });
    onUnmounted(() => (removeEventListener("scroll", checkScroll), resized.disconnect(), clearTimeout(greying)));
    const emptyState = computed(() => {
      const missing = missingText(facts.missing, props.noun);
      return missing || (facts.filtered ? "No matches. Clear the filters." : props.emptyText);
    });
    // Below the last row: what is still to come, or why nothing more does.
    const ending = computed(() => {
      const isEnd = order.value?.length && facts.first + order.value.length >= facts.total;
      return isEnd && ["reading", "failed", "beyond"].includes(facts.missing)
        ? missingText(facts.missing, props.noun)
        : "";
    });
    const pill = computed(() => {
      const { new: count, moved } = facts.waiting;
      return count ? `${count} new` : moved ? "Sort again" : "";
    });
    const staleAt = computed(() => staleSince.value ?? lostAt.value ?? feedLostAt.value ?? lateAt.value);
    const isStale = ref(false);
    let greying = 0;
    const grey = (lost) => {
      clearTimeout(greying);
      if (lost) greying = setTimeout(() => (isStale.value = true), SHORT_LOSS);
      else isStale.value = false;
    };
    watch(() => Boolean(staleAt.value), grey, { immediate: true });
    return {
      apply,
      choose: () => (selection.isChoosing.value = true),
      chosen: selection.chosen,
      clearChosen: selection.clear,
      exportChosen: selection.exportChosen,
      leaving: selection.leaving,
      setLeaving: selection.setLeaving,
      isChoosing: computed(() => selection.isChoosing.value || selection.chosen.size > 0),
      setStale: (since) => (staleSince.value = since),
      facts,
      follow,
      asOf: computed(() =>
        isStale.value && staleAt.value && order.value ? "as of " + momentOf(staleAt.value, clock.value) : "",
      ),
      emptyState,
      ending,
      host,
      rowTemplate: template,
      markRead,
      move,
      order,
      pageLink,
      pill,
      root,
      RESTFUL,
      rows,
      select,
      settle,
      space,
      stopAt,
      toggle: (event, id) => selection.toggle(id, event.shiftKey),
    };
  },
  template: `
    <div ref="root" class="lw-list" :class="{ 'lw-list--stale': asOf, 'lw-list--choosing': isChoosing }" :aria-busy="order === null">
      <div v-if="pill" class="lw-list__pill" role="status"><button type="button" @click="settle">{{ pill }}</button></div>
      <div v-if="asOf" class="lw-list__asof" role="status"><span>{{ asOf }}</span></div>
      <div v-if="order === null" :class="rowTemplate.layout" aria-hidden="true">
        <div v-for="index in skeletons" :key="index" class="lw-ghost" :class="'lw-ghost--' + template"><i></i><i></i><i></i></div>
      </div>
      <div v-else-if="!order.length && (emptyText || facts.missing)" class="lw-empty" :data-missing="facts.missing || undefined">
        <i class="lw-icon notranslate" aria-hidden="true">{{ emptyIcon }}</i><p>{{ emptyState }}</p>
        <a v-if="offersConnect && !facts.filtered && !facts.missing" class="lw-button lw-button--link" :href="pageLink('/connect')">Connect your code</a>
      </div>
      <div v-if="space.above" class="lw-list__space" :style="{ height: space.above + 'px' }" aria-hidden="true"></div>
      <div v-if="order?.length" ref="host" :class="[rowTemplate.layout, { 'lw-cards--many': order.length > RESTFUL }]" role="list" :aria-label="label" @focusin="follow" @keydown="move">
        <component :is="rowTemplate.component" v-for="id in order" :key="id" :id="id" :row="rows.get(id)" :table="table" :path="path"
                   :status-styles="statusStyles" :is-stop="id === stopAt" :folded="facts.folds[id]" :is-chosen="choosable ? chosen.has(id) : null" :class="{ 'lw-chosen': chosen.has(id), 'lw-leaving': leaving.has(id) }" @toggle="toggle" @unfold="(id) => $emit('unfold', id)" :aria-current="id === selected ? 'true' : undefined" @mark-read="markRead" @mark-unread="(id) => $emit('markUnread', id)" @select="select" />
      </div>
      <p v-if="ending" class="lw-list__ending" role="status" :data-missing="facts.missing">{{ ending }}
        <button v-if="facts.missing === 'beyond'" type="button" class="lw-text-button" data-testid="back" @click="$emit('back')">Show older {{ noun }}</button></p>
      <div v-if="space.below" class="lw-list__space" :style="{ height: space.below + 'px' }" aria-hidden="true"></div>
    </div>`,
};
