// The event log: buffers events while paused and keeps at most MAX_EVENTS.
import { computed, onMounted, ref, shallowRef } from "vue";
import { clockTime, exactTime } from "formats";

const MAX_EVENTS = 1000;
const SHOWN = 200;
const KINDS = { INSERT: "positive", UPDATE: "active", DELETE: "critical" };

export default {
  emits: ["live"],
  setup(_, { emit }) {
    const events = shallowRef(null); // latest first
    const waiting = shallowRef([]);
    const missed = ref(0);
    const isPaused = ref(false);
    const text = ref("");
    const table = ref("");
    const last = () => Math.max(events.value?.[0]?.n ?? 0, waiting.value[0]?.n ?? 0);

    function apply({ set }) {
      const { all, more, missed: lost } = set.events;
      if (all && !isPaused.value && !events.value) events.value = [...all].reverse();
      else {
        const fresh = (all ?? more).filter((event) => event.n > last()).reverse();
        const into = isPaused.value ? waiting : events;
        into.value = [...fresh, ...into.value].slice(0, MAX_EVENTS);
      }
      missed.value += lost ?? 0;
    }
    function toggle() {
      isPaused.value = !isPaused.value;
      if (isPaused.value) return;
      events.value = [...waiting.value, ...events.value].slice(0, MAX_EVENTS);
      waiting.value = [];
    }
    function clear() {
      cleared = last();
      events.value = [];
      waiting.value = [];
      missed.value = 0;
    }
    let cleared = 0;
    const tables = computed(() => [...new Set((events.value ?? []).map((event) => event.table))].sort());
    const found = computed(() => {
      const words = text.value.toLowerCase().split(/\s+/).filter(Boolean);
      return (events.value ?? []).filter((event) => {
        if (event.n <= cleared || (table.value && event.table !== table.value)) return false;
        const searched = [event.table, event.event, event.id, event.name, ...event.changed.flat()]
          .join(" ")
          .toLowerCase();
        return words.every((word) => searched.includes(word));
      });
    });
    function save() {
      const lines = found.value.map((event) => JSON.stringify({ ...event, at: new Date(event.at).toISOString() }));
      const link = document.createElement("a");
      link.href = URL.createObjectURL(new Blob([lines.join("\n") + "\n"], { type: "application/jsonl" }));
      link.download = `livewatch-events-${new Date().toISOString().slice(0, 19).replaceAll(":", "-")}.jsonl`;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 10000);
    }
    onMounted(() => emit("live"));
    return {
      apply,
      clear,
      clockTime,
      events,
      exactTime,
      found,
      isPaused,
      missed,
      save,
      table,
      tables,
      text,
      toggle,
      waiting,
      shown: computed(() => found.value.slice(0, SHOWN)),
      kind: (event) => KINDS[event.event],
      lag: (ms) => (ms == null ? "–" : ms < 1000 ? `${ms} ms` : `${(ms / 1000).toFixed(1)} s`),
      how: (change) => `${change[0]}: ${change[1]} → ${change[2]}`,
    };
  },
  template: `
    <div class="lw-log" data-testid="inspector">
      <div class="lw-controls">
        <div class="lw-controls__search"><i class="lw-icon notranslate" aria-hidden="true">search</i>
          <input v-model="text" type="search" placeholder="Filter by table, id, name or field" aria-label="Filter events" maxlength="200" autocomplete="off" spellcheck="false"></div>
        <select v-model="table" class="lw-select" aria-label="Table"><option value="">Table: all</option>
          <option v-for="each in tables" :key="each" :value="each">{{ each }}</option></select>
        <span class="lw-controls__end">
          <span class="lw-controls__summary lw-number" data-testid="event-count" :data-value="found.length">{{ found.length }} {{ found.length === 1 ? 'event' : 'events' }}<template v-if="isPaused">, {{ waiting.length }} waiting</template></span>
          <button type="button" class="lw-text-button" :aria-pressed="String(isPaused)" @click="toggle">{{ isPaused ? 'Resume' : 'Pause' }}</button>
          <button type="button" class="lw-text-button" @click="clear">Clear</button>
          <button type="button" class="lw-icon-button" title="Export as JSON lines" aria-label="Export these events as JSON lines" :disabled="!found.length" @click="save"><i class="lw-icon notranslate" aria-hidden="true">download</i></button>
        </span>
      </div>
      <div class="lw-log__rows" tabindex="0" role="log" aria-live="off" aria-label="Events">
        <p v-if="events && !found.length" class="lw-log__empty">{{ text || table ? 'No event matches.' : isPaused ? 'Paused.' : 'Listening. Events appear here as they arrive.' }}</p>
        <div v-for="event in shown" :key="event.n" class="lw-log__row">
          <time class="lw-number lw-muted" :title="exactTime(event.at)">{{ clockTime(event.at) }}</time>
          <span class="lw-log__event" :data-tone="kind(event)">{{ event.event }}</span>
          <span class="lw-log__table">{{ event.table }}</span>
          <span class="lw-log__id lw-clip" :title="event.id">{{ event.name || event.id.slice(0, 8) }} <span class="lw-muted">{{ event.id.slice(0, 8) }}</span></span>
          <span class="lw-log__changed lw-clip"><span v-for="change in event.changed" :key="change[0]" class="lw-log__field" :title="how(change)">{{ change[0] }}</span></span>
          <span class="lw-log__lag lw-number" title="From the row's updated_at until here">{{ lag(event.lag_ms) }}</span>
        </div>
        <p v-if="found.length > shown.length || missed" class="lw-log__empty"><template v-if="found.length > shown.length">{{ found.length - shown.length }} earlier ones are in the export. </template><template v-if="missed">{{ missed }} came too fast to be kept.</template></p>
      </div>
    </div>`,
};
