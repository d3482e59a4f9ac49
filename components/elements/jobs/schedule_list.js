// Lists schedules of jobs: what is late, the next run, the last one, and the latest runs.
import { onMounted, ref, shallowRef } from "vue";
import { exactTime, roughly } from "formats";
import { TimeAgo } from "parts";
import { pageLink, useNow } from "shared";
import { RunStrip } from "run_strip";

export default {
  components: { RunStrip, TimeAgo },
  props: { statusStyles: Object, ofOneJob: Boolean },
  emits: ["live", "older"],
  setup(_, { emit }) {
    const now = useNow();
    const schedules = shallowRef(null);
    const more = ref(false);
    const problem = ref("");
    onMounted(() => emit("live"));
    return {
      exactTime,
      more,
      pageLink,
      problem,
      schedules,
      fail: (text) => (problem.value = text),
      nextOf: (each) => {
        if (each.paused) return "Paused";
        if (each.next === null) return "…";
        return each.next > now.value ? "in " + roughly(each.next - now.value) : "due now";
      },
      show: (found, hasMore) => ([schedules.value, more.value, problem.value] = [found, hasMore, ""]),
      stateOf: (each) => {
        if (each.paused) return { tone: "neutral", icon: "pause_circle", label: "Paused" };
        if (each.late !== null) return { tone: "critical", icon: "alarm", label: "Late" };
        return { tone: "positive", icon: "check_circle", label: "On time" };
      },
    };
  },
  template: `
    <div class="lw-jobs">
      <p v-if="problem" class="lw-muted" role="alert">{{ problem }}</p>
      <div v-if="schedules === null" class="lw-ghost" aria-hidden="true"><i></i><i></i><i></i></div>
      <p v-else-if="!schedules.length && ofOneJob" class="lw-muted">No schedule: nobody is told when a run of this job is missing.</p>
      <p v-else-if="!schedules.length" class="lw-muted lw-people__none">There are no schedules yet. Create one on the page of a job, or with <code class="lw-code">livewatch run --expect "0 2 * * *"</code>.</p>
      <ul v-else class="lw-jobs__list">
        <li v-for="each in schedules" :key="each.id" class="lw-job lw-schedule" :data-testid="'schedule-' + each.kind + '-' + each.slug">
          <div class="lw-job__name">
            <span v-if="!ofOneJob" dir="auto" class="lw-clip"><a class="lw-job-link" :href="pageLink('/jobs/' + each.kind + '/' + each.slug)" :title="each.name">{{ each.name }}</a></span>
            <span :class="{ 'lw-muted': !ofOneJob }" data-field="expected">{{ each.expected }}</span>
            <span class="lw-muted"><template v-if="each.cron"><span class="lw-code">{{ each.cron }}</span> · </template>{{ each.grace }} grace<template v-if="each.max"> · at most {{ each.max }}</template></span></div>
          <run-strip v-if="!ofOneJob" :runs="each.runs" :styles="statusStyles[each.kind]" />
          <dl class="lw-job__facts">
            <div><dt>State</dt><dd><span class="lw-schedule__state" :data-tone="stateOf(each).tone" data-field="state"><i class="lw-icon notranslate" aria-hidden="true">{{ stateOf(each).icon }}</i>{{ stateOf(each).label }}</span></dd></div>
            <div v-if="each.late !== null"><dt>Was due</dt><dd><time-ago :at="each.late" :title="exactTime(each.late)" /></dd></div>
            <div><dt>Next</dt><dd class="lw-number" data-field="next" :data-value="each.next" :title="each.next === null ? undefined : exactTime(each.next)">{{ nextOf(each) }}</dd></div>
            <div><dt>Last run</dt><dd><time-ago v-if="each.last !== null" :at="each.last" :title="exactTime(each.last)" /><template v-else>None yet</template></dd></div>
          </dl>
        </li>
      </ul>
      <button v-if="more" type="button" class="lw-button" data-testid="older" @click="$emit('older')">More</button>
    </div>`,
};
