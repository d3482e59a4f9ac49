// Lists an organisation's ingest keys.
import { TimeAgo } from "shared";

export default {
  components: { TimeAgo },
  props: { keys: Array },
  emits: ["revoke"],
  template: `
    <div v-if="keys === null" class="lw-ghost" aria-hidden="true"><i></i><i></i></div>
    <p v-else-if="!keys.length" class="lw-muted lw-keys__none">There are no keys yet. Programs need one to report.</p>
    <ul v-else class="lw-keys">
      <li v-for="key in keys" :key="key.id" class="lw-key" :class="{ 'lw-key--revoked': key.revoked_at }" :data-testid="'key-' + key.public_id">
        <div class="lw-key__main">
          <strong class="lw-clip" :title="key.name">{{ key.name }}</strong>
          <span class="lw-code lw-muted">lw_{{ key.public_id }}_…</span>
        </div>
        <div class="lw-key__facts lw-muted">
          <span>{{ key.scopes.length === 3 ? "Everything" : key.scopes.join(", ") }}</span>
          <span>Created <time-ago :at="key.created_at" /><template v-if="key.created_by"> by {{ key.created_by }}</template></span>
          <span v-if="key.last_used_at">Last used <time-ago :at="key.last_used_at" /></span>
          <span v-else>Never used</span>
        </div>
        <span v-if="key.revoked_at" class="lw-key__end lw-muted">Revoked <time-ago :at="key.revoked_at" /></span>
        <button v-else type="button" class="lw-button lw-key__end" :aria-label="'Revoke ' + key.name" @click="$emit('revoke', key.id)">Revoke</button>
      </li>
    </ul>`,
};
