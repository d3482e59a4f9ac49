// Who takes care of a run or an alert, and what can be done about it.
import { computed, ref } from "vue";
import { handlingNow } from "handling";
import { exactTime } from "formats";
import { TimeAgo } from "parts";
import { useNow } from "shared";

export const HandlingBar = {
  components: { TimeAgo },
  props: { state: Object, me: String, writes: Boolean },
  emits: ["handle"],
  setup(props, { emit }) {
    const now = useNow();
    const handling = computed(() => handlingNow(props.state.handling, props.state.until, now.value));
    const asks = ref(false); // whether it asks for a note
    const note = ref("");
    function handle(handling, hours = null) {
      emit("handle", { handling, note: note.value, hours });
      asks.value = false;
      note.value = "";
    }
    return { asks, exactTime, handle, handling, note };
  },
  directives: { focus: { mounted: (element) => element.focus() } },
  template: `
    <div class="lw-chat__handling" data-testid="handling" :data-value="handling">
        <span v-if="handling !== 'open'"><span class="lw-badge" :data-tone="state.tone">{{ state.label }}</span> <bdi>{{ state.handler === me ? 'You' : state.handler_name }}</bdi> ·
          <time-ago :at="state.at" :title="exactTime(state.at)" /><template v-if="state.until"> · until {{ exactTime(state.until) }}</template></span>
        <span v-else class="lw-muted">Nobody takes care of this yet.</span>
        <span v-if="writes" class="lw-chat__choices">
          <button v-if="handling !== 'taken' || state.handler !== me" type="button" class="lw-text-button" @click="handle('taken')">Take</button>
          <button v-if="handling !== 'open'" type="button" class="lw-text-button" @click="handle('open')">{{ handling === 'resolved' ? 'Reopen' : 'Release' }}</button>
          <button v-if="handling !== 'snoozed'" type="button" class="lw-text-button" @click="handle('snoozed', 1)">Snooze 1 h</button>
          <button v-if="handling !== 'resolved'" type="button" class="lw-text-button" @click="asks = true">Resolve</button>
        </span>
        <form v-if="asks" class="lw-chat__note" @submit.prevent="handle('resolved')">
          <input v-model="note" maxlength="2000" placeholder="What was done? (optional)" aria-label="Note" v-focus>
          <button class="lw-button lw-button--primary">Resolve</button>
          <button type="button" class="lw-button" @click="asks = false">Cancel</button>
        </form>
      </div>`,
};
