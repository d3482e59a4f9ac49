// Shows the number of unread rows; hidden at 0.
import { computed, onMounted, reactive } from "vue";
import { number } from "formats";
import { fieldAttributes } from "parts";

const MAX = 99;

export default {
  props: { counts: Array, label: String },
  emits: ["live"],
  setup(props, { emit }) {
    const values = reactive({});
    const bounds = reactive({});
    const value = computed(() => props.counts.reduce((sum, key) => sum + (values[key] ?? 0), 0));
    const isBound = computed(() => props.counts.some((key) => bounds[key]));
    onMounted(() => emit("live"));
    return {
      isBound,
      at: fieldAttributes("inbox", props.counts.join("+"), "unread"),
      value,
      shown: computed(() => (value.value > MAX ? number(MAX) + "+" : number(value.value) + (isBound.value ? "+" : ""))),
      exact: computed(() => (isBound.value ? "at least " : "") + number(value.value)),
      apply(batch) {
        for (const [key, fields] of Object.entries(batch.reset?.rows ?? batch.set ?? {})) {
          values[key] = fields.value ?? values[key];
          bounds[key] = fields.at_least ?? bounds[key];
        }
      },
    };
  },
  template: `
    <span class="lw-count lw-number" :class="{ 'lw-count--none': !value }" :title="shown === exact ? undefined : exact + ' ' + label">
      <span v-bind="at" :data-value="value" :data-bound="isBound || undefined" aria-hidden="true">{{ shown }}</span><span class="lw-sr-only">{{ exact }} {{ label }}</span></span>`,
};
