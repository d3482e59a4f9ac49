// Lists the events of an audit log.
import { exactTime } from "formats";
import { TimeAgo } from "parts";

export default {
  components: { TimeAgo },
  props: { events: Array, more: Boolean },
  emits: ["older", "search"],
  setup() {
    return { exactTime };
  },
  template: `
    <div class="lw-audit">
      <input type="search" class="lw-audit__search" placeholder="Search the log" aria-label="Search the log" data-testid="search"
             maxlength="200" autocomplete="off" spellcheck="false" @input="$emit('search', $event.target.value)">
      <div v-if="events === null" class="lw-ghost" aria-hidden="true"><i></i><i></i><i></i></div>
      <p v-else-if="!events.length" class="lw-muted lw-people__none">No events match.</p>
      <ul v-else class="lw-people">
        <li v-for="event in events" :key="event.id" class="lw-person" :data-testid="'event-' + event.id">
          <div class="lw-person__main" dir="auto">
            <strong class="lw-clip" :title="event.actor">{{ event.actor }}</strong>
            <span>{{ event.sentence }}</span>
            <span v-if="event.subject !== event.actor" class="lw-clip" :title="event.subject">{{ event.subject }}</span>
          </div>
          <div class="lw-person__facts lw-muted">
            <time-ago :at="event.at" :title="exactTime(event.at)" />
            <span v-if="event.address">from {{ event.address }}</span>
            <span v-for="[name, before, after] in event.changes" :key="name">{{ name }}: <template v-if="before">{{ before }}<template v-if="after"> → </template></template>{{ after }}</span>
          </div>
        </li>
      </ul>
      <button v-if="more" type="button" class="lw-button" data-testid="older" @click="$emit('older')">Older</button>
    </div>`,
};
