// Lists the members of an organisation.
import { ClippedName, TimeAgo } from "parts";

export default {
  components: { ClippedName, TimeAgo },
  props: { members: Array, me: String, manage: Boolean, resets: Boolean, roles: Array },
  emits: ["role", "remove", "reset"],
  setup(props, { emit }) {
    // The database may refuse a role: the server's answer shows the true one, also when nothing changed.
    function choose(member, event) {
      emit("role", [member.id, event.target.value]);
      event.target.value = member.role;
    }
    const labelOf = (role) => props.roles.find((each) => each.value === role)?.label ?? role;
    return { choose, labelOf };
  },
  template: `
    <div v-if="members === null" class="lw-ghost" aria-hidden="true"><i></i><i></i></div>
    <ul v-else class="lw-people">
      <li v-for="member in members" :key="member.id" class="lw-person" :data-testid="'member-' + member.id">
        <div class="lw-person__main">
          <strong dir="auto" :title="member.name"><clipped-name :text="member.name" /></strong>
          <span v-if="member.id === me" class="lw-tag">You</span>
          <span v-if="member.email" class="lw-muted lw-clip" :title="member.email">{{ member.email }}</span>
        </div>
        <div class="lw-person__facts lw-muted">
          <span>Joined <time-ago :at="member.joined_at" /><template v-if="member.invited_by">, invited by {{ member.invited_by }}</template></span>
          <span v-if="member.last_seen_at">Last seen <time-ago :at="member.last_seen_at" /></span>
        </div>
        <div class="lw-person__end">
          <select v-if="manage" class="lw-select" :value="member.role" :aria-label="'Role of ' + member.name" @change="choose(member, $event)">
            <option v-for="role in roles" :key="role.value" :value="role.value">{{ role.label }}</option>
          </select>
          <span v-else class="lw-muted" data-field="role">{{ labelOf(member.role) }}</span>
          <button v-if="resets && member.id !== me" type="button" class="lw-button" :aria-label="'Create reset link for ' + member.name" @click="$emit('reset', member.id)">Reset link</button>
          <button v-if="member.id === me" type="button" class="lw-button" @click="$emit('remove', member.id)">Leave</button>
          <button v-else-if="manage" type="button" class="lw-button" :aria-label="'Remove ' + member.name" @click="$emit('remove', member.id)">Remove</button>
        </div>
      </li>
    </ul>`,
};
