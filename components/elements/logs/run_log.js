// The log of one run: follows the end unless the reader has scrolled up.
import { nextTick, onMounted, ref, shallowRef } from "vue";
import { clockTime, exactTime } from "shared";

const MAX_LINES = 2000; // lines kept in the browser
const TONES = { warning: "caution", error: "critical", critical: "critical" };

export default {
  emits: ["live", "older"],
  setup(_, { emit }) {
    const lines = shallowRef([]);
    const more = ref(false);
    const problem = ref(""); // why there may be lines that are not shown
    const box = ref(null);
    const isAtEnd = () => !box.value || box.value.scrollHeight - box.value.scrollTop - box.value.clientHeight < 24;
    onMounted(() => emit("live"));
    async function add(added, { first, older, more: hasMore }) {
      const follows = !older && isAtEnd();
      const before = box.value?.scrollHeight ?? 0;
      if (older) lines.value = [...added, ...lines.value];
      else lines.value = first ? added : [...lines.value, ...added].slice(-MAX_LINES);
      if (first || older) more.value = hasMore;
      await nextTick();
      if (!box.value) return;
      if (follows) box.value.scrollTop = box.value.scrollHeight;
      else if (older) box.value.scrollTop += box.value.scrollHeight - before;
    }
    return { add, fail: (text) => (problem.value = text), box, problem, clockTime, exactTime, lines, more, TONES };
  },
  template: `
    <section v-if="lines.length || problem" class="lw-section lw-log" aria-label="Log">
      <h2>Log</h2>
      <p v-if="problem" class="lw-muted" role="status">The log could not be read: {{ problem }}</p>
      <div v-if="lines.length" ref="box" class="lw-log__lines" tabindex="0" role="log" aria-live="off" aria-label="Lines of the log">
        <button v-if="more" type="button" class="lw-button" @click="$emit('older', lines[0].id)">Older lines</button>
        <div v-for="line in lines" :key="line.id" class="lw-log__line" :data-tone="TONES[line.level]" :data-level="line.level">
          <time :title="exactTime(line.at)">{{ clockTime(line.at) }}</time><span v-if="line.level !== 'info'" class="lw-log__level">{{ line.level }}</span><span class="lw-log__text">{{ line.message }}</span>
        </div>
      </div>
    </section>`,
};
