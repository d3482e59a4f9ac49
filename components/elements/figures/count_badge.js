// Shows the number of unread rows; hidden at 0.
import { computed, onMounted, reactive } from "vue";
import { fieldAttributes, number } from "shared";

const MAX = 99;

export default {
  props: { counts: Array, label: String },
  emits: ["live"],
  setup(props, { emit }) {
    const values = reactive({});
    onMounted(() => emit("live"));
    return {
      MAX,
      number,
      at: fieldAttributes("inbox", props.counts.join("+"), "unread"),
      value: computed(() => props.counts.reduce((sum, key) => sum + (values[key] ?? 0), 0)),
      apply(batch) {
        for (const [key, fields] of Object.entries(batch.reset?.rows ?? batch.set ?? {}))
          values[key] = fields.value ?? values[key];
      },
    };
  },
  template: `<span class="lw-count lw-number" :class="{ 'lw-count--none': !value }"><span v-bind="at" :data-value="value" :title="value > MAX ? number(value) : undefined">{{ value > MAX ? number(MAX) + "+" : number(value) }}</span><span class="lw-sr-only"> {{ label }}</span></span>`,
};
