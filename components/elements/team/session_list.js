// Lists the user's open sessions.
import { TimeAgo } from "parts";

export default {
  components: { TimeAgo },
  props: { sessions: Array },
  emits: ["end"],
  template: `
    <div v-if="sessions === null" class="lw-ghost" aria-hidden="true"><i></i><i></i></div>
    <ul v-else class="lw-people">
      <li v-for="session in sessions" :key="session.id" class="lw-person" :data-testid="'session-' + session.id">
        <div class="lw-person__main">
          <strong :title="session.agent">{{ session.device }}</strong>
          <span v-if="session.is_current" class="lw-tag">This session</span>
          <span v-if="session.address" class="lw-muted">{{ session.address }}</span>
        </div>
        <div class="lw-person__facts lw-muted">
          <span>Signed in <time-ago :at="session.created_at" /></span>
          <span v-if="!session.is_current">Last used <time-ago :at="session.used_at" /></span>
        </div>
        <div v-if="!session.is_current" class="lw-person__end">
          <button type="button" class="lw-button" :aria-label="'Sign out of ' + session.device" @click="$emit('end', session.id)">Sign out</button>
        </div>
      </li>
    </ul>`,
};
