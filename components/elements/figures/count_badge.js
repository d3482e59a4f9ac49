// Shows the number of unread rows; hidden at 0.
import { computed, onMounted, reactive } from "vue";
import { fieldAttributes } from "shared";

export default {
  props: { counts: Array, label: String },
  emits: ["live"],
  setup(props, { emit }) {
    const values = reactive({});
    onMounted(() => emit("live"));
    return {
      at: fieldAttributes("inbox", props.counts.join("+"), "unread"),
      value: computed(() => props.counts.reduce((sum, key) => sum + (values[key] ?? 0), 0)),
      apply(batch) {
        for (const [key, fields] of Object.entries(batch.reset?.rows ?? batch.set ?? {}))
          values[key] = fields.value ?? values[key];
      },
    };
  },
  template: `<span class="lw-count lw-number" :class="{ 'lw-count--none': !value }"><span v-bind="at" :data-value="value">{{ value }}</span><span class="lw-sr-only"> {{ label }}</span></span>`,
};
