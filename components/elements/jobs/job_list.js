// Lists jobs with their latest runs.
import { onMounted, ref, shallowRef } from "vue";
import { duration, exactTime, number } from "formats";
import { TimeAgo } from "parts";
import { pageLink } from "shared";
import { RunStrip, successRate } from "run_strip";

const SHOWN_RUNS = 30;

export default {
  components: { RunStrip, TimeAgo },
  props: { statusStyles: Object, kinds: Object, kind: String },
  emits: ["live", "kind", "older", "search"],
  setup(props, { emit }) {
    const chosen = ref(props.kind);
    const jobs = shallowRef(null);
    const more = ref(false);
    const isSearch = ref(false);
    const problem = ref("");
    onMounted(() => emit("live"));
    return {
      chosen,
      duration,
      exactTime,
      isSearch,
      jobs,
      more,
      number,
      pageLink,
      problem,
      SHOWN_RUNS,
      choose: (kind) => (chosen.value = kind),
      fail: (text) => (problem.value = text),
      successRate,
      show: (found, state) => {
        [jobs.value, more.value, isSearch.value, problem.value] = [found, state.more, state.search, ""];
      },
    };
  },
  template: `
    <div class="lw-jobs">
      <div class="lw-row lw-jobs__tools"><input type="search" class="lw-audit__search" placeholder="Search jobs" aria-label="Search jobs" data-testid="search"
             maxlength="200" autocomplete="off" spellcheck="false" @input="$emit('search', $event.target.value)">
        <select v-model="chosen" class="lw-select" aria-label="Kind of run" @change="$emit('kind', chosen)"><option v-for="(label, kind) in kinds" :key="kind" :value="kind">{{ label }}</option></select></div>
      <p v-if="problem" class="lw-muted" role="alert">{{ problem }}</p>
      <div v-if="jobs === null" class="lw-ghost" aria-hidden="true"><i></i><i></i><i></i></div>
      <p v-else-if="!jobs.length && isSearch" class="lw-muted lw-people__none">No job has this in its name or slug.</p>
      <p v-else-if="!jobs.length" class="lw-muted lw-people__none">There are no such jobs yet. The first report of a program makes one.</p>
      <ul v-else class="lw-jobs__list">
        <li v-for="job in jobs" :key="job.id" class="lw-job" :data-testid="'job-' + job.kind + '-' + job.slug">
          <div class="lw-job__name" dir="auto"><a class="lw-job-link lw-clip" :href="pageLink('/jobs/' + job.kind + '/' + job.slug)" :title="job.name">{{ job.name }}</a>
            <span class="lw-muted lw-code lw-clip">{{ job.slug }}</span></div>
          <run-strip :runs="job.runs.slice(-SHOWN_RUNS)" :styles="statusStyles[job.kind]" />
          <dl class="lw-job__facts">
            <div><dt>Runs</dt><dd class="lw-number">{{ number(job.count) }}</dd></div>
            <div><dt>Success</dt><dd class="lw-number">{{ successRate(job) }}</dd></div>
            <div><dt>Usually</dt><dd class="lw-number">{{ job.usual ? duration(job.usual.median * 1000) : "–" }}</dd></div>
            <div><dt>Last run</dt><dd><time-ago :at="job.at" :title="exactTime(job.at)" /></dd></div>
          </dl>
        </li>
      </ul>
      <button v-if="more" type="button" class="lw-button" data-testid="older" @click="$emit('older')">Older</button>
    </div>`,
};
