// How many wait to be read; invisible at none.
import { onMounted, ref } from "vue";
import { fieldAttributes } from "lw_parts";

export default {
  props: { count: String, label: String },
  emits: ["live"],
  setup(props, { emit }) {
    const value = ref(0);
    onMounted(() => emit("live"));
    return {
      at: fieldAttributes("inbox", props.count, "unread"),
      value,
      apply(batch) {
        value.value = (batch.reset?.rows ?? batch.set ?? {})[props.count]?.value ?? value.value;
      },
    };
  },
  template: `<span class="lw-count lw-number" :class="{ 'lw-count--none': !value }"><span v-bind="at" :data-value="value">{{ value }}</span><span class="lw-sr-only"> {{ label }}</span></span>`,
};
