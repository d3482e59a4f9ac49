// Shows a job: its figures, how long its runs took, and the latest of them.
import { computed, onMounted, ref, shallowRef } from "vue";
import { duration, exactTime, number, statusStyleOf } from "formats";
import { StatusBadge, TimeAgo } from "parts";
import { pageLink, useNow } from "shared";
import { RunDurations, RunStrip, secondsOf, successRate } from "run_strip";

export default {
  components: { RunDurations, RunStrip, StatusBadge, TimeAgo },
  props: { statusStyles: Object, mostCompared: Number },
  emits: ["live"],
  setup(props, { emit }) {
    const now = useNow();
    const job = shallowRef(null);
    const problem = ref("");
    const chosen = ref([]);
    onMounted(() => emit("live"));
    const styles = computed(() => props.statusStyles[job.value.kind]);
    const ended = computed(() => job.value.succeeded + job.value.failed);
    const usual = computed(() => {
      const { usual } = job.value;
      if (!usual) return "–";
      const [low, high] = [duration(usual.low * 1000), duration(usual.high * 1000)];
      return low === high ? low : `${low} to ${high}`;
    });
    return {
      chosen,
      duration,
      ended,
      exactTime,
      job,
      number,
      pageLink,
      problem,
      successRate,
      styles,
      usual,
      fail: (text) => (problem.value = text),
      latest: computed(() => [...job.value.runs].reverse()),
      show: (found) => ([job.value, problem.value] = [found, ""]),
      styleOf: (run) => statusStyleOf(styles.value, run.status),
      took: (run) => {
        const seconds = secondsOf(run, now.value);
        return seconds === null ? "–" : duration(seconds * 1000);
      },
    };
  },
  template: `
    <div class="lw-job-panel">
      <p v-if="problem" class="lw-muted" role="alert">{{ problem }}</p>
      <div v-if="job === null" class="lw-ghost" aria-hidden="true"><i></i><i></i><i></i></div>
      <template v-else>
        <dl class="lw-job-panel__figures">
          <div><dt>Runs</dt><dd class="lw-number" data-field="count">{{ number(job.count) }}</dd></div>
          <div><dt>Success rate</dt><dd class="lw-number" data-field="rate">{{ successRate(job) }}</dd><dd class="lw-muted">{{ job.succeeded }} of the last {{ number(ended) }} that ended</dd></div>
          <div><dt>Usually takes</dt><dd class="lw-number" data-field="usual">{{ usual }}</dd><dd class="lw-muted">{{ job.usual ? "the middle half of " + job.usual.runs + " runs" : "known after three completed runs" }}</dd></div>
          <div class="lw-job-panel__failure"><dt>Last failure</dt>
            <dd v-if="job.failure"><a class="lw-job-link" :href="pageLink(job.failure.href)" data-field="failure">Run {{ job.failure.number }}</a>, <time-ago :at="job.failure.to" :title="exactTime(job.failure.to)" /></dd>
            <dd v-if="job.failure?.error" class="lw-muted lw-job-panel__error" dir="auto" :title="job.failure.error">{{ job.failure.error }}</dd>
            <dd v-if="!job.failure" class="lw-muted">None in the last {{ job.runs.length === 1 ? "run" : job.runs.length + " runs" }}</dd></div>
        </dl>
        <p v-if="!job.runs.length" class="lw-muted">All runs of this job were deleted.</p>
        <template v-else>
          <run-strip :runs="job.runs" :styles="styles" />
          <run-durations :runs="job.runs" :styles="styles" :usual="job.usual" />
          <div v-if="job.kind === 'streams' && job.runs.length > 1" class="lw-row lw-job-panel__compare">
            <a class="lw-button lw-button--link" data-testid="compare" :aria-disabled="chosen.length < 2 || undefined" :href="chosen.length < 2 ? undefined : pageLink('/compare?runs=' + chosen.join(','))">{{ chosen.length < 2 ? "Choose runs to compare" : "Compare " + chosen.length + " runs" }}</a>
          </div>
          <div class="lw-facts" tabindex="0" role="region" aria-label="Latest runs">
            <table>
              <thead><tr><th scope="col">Run</th><th scope="col">Status</th><th scope="col">Began</th><th scope="col" data-kind="number">Took</th><th scope="col">Error</th></tr></thead>
              <tbody>
                <tr v-for="run in latest" :key="run.id" :data-testid="'run-' + run.number">
                  <td data-label="Run"><input v-if="job.kind === 'streams' && job.runs.length > 1" type="checkbox" :aria-label="'Compare run ' + run.number" :value="run.id" v-model="chosen" :disabled="chosen.length >= mostCompared && !chosen.includes(run.id)"> <a class="lw-job-link" :href="pageLink(run.href)">{{ number(run.number) }}</a><span v-if="run.attempt > 1" class="lw-muted"> attempt {{ run.attempt }}</span></td>
                  <td data-label="Status"><status-badge :status-style="styleOf(run)" /></td>
                  <td data-label="Began"><time-ago v-if="run.from" :at="run.from" :title="exactTime(run.from)" /><template v-else>–</template></td>
                  <td data-label="Took" data-kind="number" class="lw-number">{{ took(run) }}</td>
                  <td data-label="Error" class="lw-job-panel__error" dir="auto" :title="run.error">{{ run.error ?? "" }}</td>
                </tr>
              </tbody>
            </table>
          </div>
        </template>
      </template>
    </div>`,
};
