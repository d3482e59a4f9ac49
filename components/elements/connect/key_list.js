// Lists an organisation's ingest keys.
import { roughly } from "formats";
import { TimeAgo } from "parts";
import { useNow } from "shared";

export default {
  components: { TimeAgo },
  props: { keys: Array },
  emits: ["replace", "revoke"],
  setup() {
    const now = useNow();
    const hasExpired = (key) => key.expires_at !== null && key.expires_at <= now.value;
    const isOver = (key) => key.revoked_at !== null || hasExpired(key);
    const left = (key) => roughly(key.expires_at - now.value);
    return { hasExpired, isOver, left };
  },
  template: `
    <div v-if="keys === null" class="lw-ghost" aria-hidden="true"><i></i><i></i></div>
    <p v-else-if="!keys.length" class="lw-muted lw-keys__none">There are no keys yet. Programs need one to report.</p>
    <ul v-else class="lw-keys">
      <li v-for="key in keys" :key="key.id" class="lw-key" :class="{ 'lw-key--over': isOver(key) }" :data-testid="'key-' + key.public_id">
        <div class="lw-key__main">
          <strong class="lw-clip" :title="key.name">{{ key.name }}</strong>
          <span class="lw-code lw-muted">lw_{{ key.public_id }}_…</span>
        </div>
        <div class="lw-key__facts lw-muted">
          <span>{{ key.scopes }}</span>
          <span>Created <time-ago :at="key.created_at" /><template v-if="key.created_by"> by {{ key.created_by }}</template></span>
          <span v-if="key.last_used_at">Last used <time-ago :at="key.last_used_at" /><template v-if="key.last_used_address"> from {{ key.last_used_address }}</template></span>
          <span v-else>Never used</span>
          <span v-if="key.expires_at && !isOver(key)">Expires in {{ left(key) }}</span>
        </div>
        <span v-if="key.revoked_at" class="lw-key__end lw-muted">Revoked <time-ago :at="key.revoked_at" /></span>
        <span v-else-if="hasExpired(key)" class="lw-key__end lw-muted">Expired <time-ago :at="key.expires_at" /></span>
        <div v-else class="lw-key__end lw-row">
          <button type="button" class="lw-button" :aria-label="'Replace ' + key.name" @click="$emit('replace', key.id)">Replace</button>
          <button type="button" class="lw-button" :aria-label="'Revoke ' + key.name" @click="$emit('revoke', key.id)">Revoke</button>
        </div>
      </li>
    </ul>`,
};
