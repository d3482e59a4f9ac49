// Shows a run among those of its job: its number, its neighbours, and its duration against the usual one.
import { computed, onMounted, shallowRef } from "vue";
import { duration, number, roughly } from "formats";
import { pageLink, useNow } from "shared";
import { RunStrip, secondsOf } from "run_strip";

export default {
  components: { RunStrip },
  props: { run: String, statusStyles: Object },
  emits: ["live"],
  setup(props, { emit }) {
    const now = useNow();
    const job = shallowRef(null);
    const before = shallowRef([]); // seconds that the completed runs before it took, if they are enough; shortest first
    onMounted(() => emit("live"));
    const mine = computed(() => job.value?.runs.find((run) => run.id === props.run));
    // How long it took, or has been running, against the completed runs before it.
    const verdict = computed(() => {
      const run = mine.value;
      const seconds = run && secondsOf(run, now.value);
      const times = before.value;
      if (seconds == null || !times.length) return "";
      const median = times[Math.floor((times.length - 1) / 2)];
      const usual = `usually ${duration(median * 1000)}`;
      if (run.to === null) {
        const left = median - seconds;
        const rest = left > 0 ? `about ${roughly(left * 1000)} left` : "longer than usual";
        return `Running for ${duration(seconds * 1000)}, ${usual}: ${rest}.`;
      }
      const shorter = Math.round((100 * times.filter((each) => each < seconds).length) / times.length);
      return `Took ${duration(seconds * 1000)}, ${usual}: longer than ${shorter} % of the ${times.length} runs before it.`;
    });
    return {
      job,
      mine,
      number,
      pageLink,
      verdict,
      show: (found, times) => ([job.value, before.value] = [found, times]),
    };
  },
  template: `
    <div v-if="job" class="lw-usual" data-testid="usual">
      <span dir="auto"><template v-if="mine">Run {{ number(mine.number) }} of </template><template v-else>A run of </template><a class="lw-job-link" :href="pageLink('/jobs/' + job.kind + '/' + job.slug)">{{ job.name }}</a><template v-if="mine?.attempt > 1">, attempt {{ mine.attempt }}</template></span>
      <run-strip :runs="job.runs" :styles="statusStyles[job.kind]" :current="run" />
      <span v-if="verdict" class="lw-muted" data-field="verdict">{{ verdict }}</span>
    </div>`,
};
