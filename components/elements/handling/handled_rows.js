// Tells the components of the window who takes care of which row; shows nothing itself.
import { computed, onMounted } from "vue";
import { useDemand } from "shared";
import { handled, readers, styles } from "handling";

export default {
  props: { styles: Object },
  emits: ["live", "wanted"],
  setup(props, { emit }) {
    styles.value = props.styles;
    const wanted = computed(() => Number(readers.value > 0));
    useDemand(wanted, (told) => emit("wanted", told > 0));
    onMounted(() => emit("live"));

    function apply({ reset, set }) {
      const rows = new Map(reset ? [] : handled.value);
      for (const [row, fields] of Object.entries(reset?.rows ?? set ?? {})) {
        if (fields.handling === "open") rows.delete(row);
        else rows.set(row, fields);
      }
      handled.value = rows;
    }
    return { apply };
  },
  template: `<span hidden></span>`,
};
