// Connection chips; the server's statuses are valid only while the window is connected.
import { computed, onMounted, ref, shallowReactive } from "vue";
import { ago, statusStyleOf } from "formats";
import { fieldAttributes, LiveDot } from "parts";
import { isClosing, lateAt, lostAt, useNow } from "shared";

const Detail = {
  props: { row: Object },
  setup(props) {
    const now = useNow();
    const facts = computed(() => {
      const { attempt, connected_at, lag_ms, last_event_at, retry_at, status } = props.row;
      const found = [];
      if (lostAt.value) return [["Lost", ago(now.value - lostAt.value)]];
      if (status !== "connected" && attempt) found.push(["Attempt", attempt]);
      if (retry_at > now.value) found.push(["Next try", `in ${Math.ceil((retry_at - now.value) / 1000)} s`]);
      if (status === "connected" && connected_at) found.push(["Connected", ago(now.value - connected_at)]);
      if (last_event_at) found.push(["Last event", ago(now.value - last_event_at)]);
      if (status === "connected" && lag_ms != null) found.push(["Lag", `${lag_ms} ms`]);
      return found;
    });
    const cause = computed(() => {
      if (isClosing.value) return "Livewatch is being restarted. This window comes back by itself.";
      if (lostAt.value) return "This window has lost its server and keeps trying.";
      return lateAt.value
        ? "The network or this browser is slow: what is shown may be many seconds old."
        : props.row.cause;
    });
    return { cause, facts };
  },
  template: `
    <dl class="lw-tip"><p v-if="cause">{{ cause }}</p>
      <template v-for="[name, value] in facts" :key="name"><dt>{{ name }}</dt><dd>{{ value }}</dd></template>
      <p v-if="!cause && !facts.length">Waiting for the first word from the server.</p>
    </dl>`,
};

const Chip = {
  components: { Detail, LiveDot },
  props: { name: String, label: String, row: Object, statusStyles: Object, size: String, text: Boolean },
  setup(props) {
    const status = computed(() => (lostAt.value ? "disconnected" : lateAt.value ? "connecting" : props.row.status));
    return {
      at: computed(() => fieldAttributes("connection", props.name, "status")),
      statusStyle: computed(() => statusStyleOf(props.statusStyles, status.value)),
      status,
      tip: ref(null),
    };
  },
  template: `
    <span class="lw-chip" :class="['lw-chip--' + size, { 'lw-chip--bare': !text }]" :data-tone="statusStyle.tone" tabindex="0"
          @focus="tip.show()" @blur="tip.hide()">
      <live-dot :status-style="statusStyle" />
      <span v-if="label && text" class="lw-chip__name">{{ label }}</span>
      <span class="lw-chip__status" :class="{ 'lw-sr-only': !text }" role="status" v-bind="at" :data-value="status">{{ statusStyle.label }}</span>
      <q-tooltip ref="tip" :offset="[0, 6]" :transition-duration="120"><detail :row="row" /></q-tooltip>
    </span>`,
};

export default {
  components: { Chip },
  props: { connections: Object, size: String, text: Boolean, statusStyles: Object },
  emits: ["live"],
  setup(props, { emit }) {
    const names = Object.keys(props.connections);
    const rows = new Map(names.map((name) => [name, shallowReactive({ status: "connecting" })]));
    onMounted(() => emit("live"));
    return {
      names,
      rows,
      apply(batch) {
        for (const [name, fields] of Object.entries(batch.reset?.rows ?? batch.set ?? {})) {
          if (rows.has(name)) Object.assign(rows.get(name), fields);
        }
      },
    };
  },
  template: `
    <div class="lw-chips">
      <chip v-for="name in names" :key="name" :name="name" :label="connections[name]" :row="rows.get(name)" :status-styles="statusStyles"
            :size="size" :text="text" />
    </div>`,
};
