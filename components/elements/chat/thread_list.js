// The threads about runs and alerts, as links.
import { onMounted, shallowRef } from "vue";
import { exactTime, number } from "formats";
import { TimeAgo } from "parts";
import { pageLink } from "shared";

const KINDS = {
  streams: "Stream",
  acquisition_scans: "Scan",
  agent_executions: "Agent run",
  signal_alerts: "Alert",
};

export default {
  components: { TimeAgo },
  props: { selected: String },
  emits: ["live"],
  setup(_, { emit }) {
    const threads = shallowRef(null);
    onMounted(() => emit("live"));
    const apply = ({ set }) => (threads.value = set.threads.all);
    return { apply, exactTime, KINDS, number, pageLink, threads };
  },
  template: `
    <nav class="lw-threads" aria-label="Threads">
      <a class="lw-threads__item" :href="pageLink('/chat')" :aria-current="selected ? undefined : 'page'"><strong>Everybody</strong></a>
      <div v-if="threads === null" class="lw-ghost" aria-hidden="true"><i></i><i></i><i></i></div>
      <p v-else-if="!threads.length" class="lw-muted lw-threads__none">Comments on streams, scans, agent runs and alerts are listed here.</p>
      <a v-for="thread in threads" :key="thread.about" class="lw-threads__item" :href="pageLink('/chat?about=' + thread.about)" :aria-current="thread.about === selected ? 'page' : undefined" :data-about="thread.about">
        <span class="lw-threads__name"><bdi class="lw-clip">{{ thread.name }}</bdi><span v-if="thread.unread" class="lw-count lw-number" :data-value="thread.unread">{{ number(thread.unread) }}<span class="lw-sr-only"> unread</span></span></span>
        <span class="lw-muted lw-threads__facts">{{ KINDS[thread.table] }} · <time-ago :at="thread.at" :title="exactTime(thread.at)" /><span v-if="thread.handling" class="lw-badge" :data-tone="thread.tone" :title="thread.handler">{{ thread.handling }}</span></span>
      </a>
    </nav>`,
};
