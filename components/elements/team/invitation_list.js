// Lists the open invitations of an organisation.
import { exactTime, roughly } from "formats";
import { TimeAgo } from "parts";
import { useNow } from "shared";

export default {
  components: { TimeAgo },
  props: { invitations: Array },
  emits: ["renew", "revoke"],
  setup() {
    const now = useNow();
    const ending = (at) => (at <= now.value ? "Expired" : `Expires in ${roughly(at - now.value)}`);
    const nameOf = (invitation) => invitation.email ?? "anybody with the link";
    return { ending, exactTime, nameOf };
  },
  template: `
    <div v-if="invitations === null" class="lw-ghost" aria-hidden="true"><i></i></div>
    <p v-else-if="!invitations.length" class="lw-muted lw-people__none">No open invitations.</p>
    <ul v-else class="lw-people">
      <li v-for="each in invitations" :key="each.id" class="lw-person" :data-testid="'invitation-' + each.id">
        <div class="lw-person__main">
          <strong class="lw-clip" :title="each.email">{{ each.email ?? "Anybody with the link" }}</strong>
          <span class="lw-tag">{{ each.role }}</span>
        </div>
        <div class="lw-person__facts lw-muted">
          <span>Invited <time-ago :at="each.created_at" /><template v-if="each.created_by"> by {{ each.created_by }}</template></span>
          <span :title="exactTime(each.expires_at)">{{ ending(each.expires_at) }}</span>
        </div>
        <div class="lw-person__end">
          <button type="button" class="lw-button" :aria-label="'New link for ' + nameOf(each)" @click="$emit('renew', each.id)">New link</button>
          <button type="button" class="lw-button" :aria-label="'Revoke the invitation of ' + nameOf(each)" @click="$emit('revoke', each.id)">Revoke</button>
        </div>
      </li>
    </ul>`,
};
