// A table of figures; renders every value as a text node.
import { onMounted, shallowRef } from "vue";
import { number, statusStyleOf } from "formats";
import { fieldAttributes, LiveDot } from "parts";

export default {
  components: { LiveDot },
  props: { table: String, columns: Array, label: String, emptyText: String, statusStyles: Object },
  emits: ["live"],
  setup(props, { emit }) {
    const rows = shallowRef(null);
    onMounted(() => emit("live"));
    return {
      number,
      rows,
      at: (id, key) => fieldAttributes(props.table, id, key),
      statusStyle: (status) => statusStyleOf(props.statusStyles, status),
      percent: (share) => Math.round(share * 100) + " %",
      apply: ({ reset }) => (rows.value = reset.order.map((id) => [id, reset.rows[id]])),
    };
  },
  template: `
    <div class="lw-facts" tabindex="0" role="region" :aria-label="label">
      <p v-if="rows?.length === 0" class="lw-muted">{{ emptyText }}</p>
      <table v-else>
        <thead><tr><th v-for="column in columns" :key="column.key" scope="col" :data-kind="column.kind" :title="column.hint || undefined">{{ column.label }}</th></tr></thead>
        <tbody v-if="rows">
          <tr v-for="[id, row] in rows" :key="id">
            <td v-for="column in columns" :key="column.key" :data-kind="column.kind" :data-label="column.label" :data-value="row[column.key]" v-bind="at(id, column.key)">
              <span v-if="row[column.key] == null">–</span>
              <span v-else-if="column.kind === 'status'" class="lw-facts__status"><live-dot :status-style="statusStyle(row[column.key])" />{{ statusStyle(row[column.key]).label }}</span>
              <span v-else-if="column.kind === 'share'" class="lw-share" :title="percent(row[column.key])"
                    :data-tone="row[column.key] >= 0.9 ? 'critical' : row[column.key] >= 0.7 ? 'caution' : 'active'">
                <i :style="{ width: Math.min(100, row[column.key] * 100) + '%' }"></i></span>
              <template v-else>{{ number(row[column.key]) }}</template>
            </td>
          </tr>
        </tbody>
        <tbody v-else aria-hidden="true"><tr><td :colspan="columns.length"><span class="lw-ghost__line"></span></td></tr></tbody>
      </table>
    </div>`,
};
