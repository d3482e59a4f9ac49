// Tells the components of the window who takes care of which row; shows nothing itself.
import { computed, nextTick, onMounted, onUnmounted, watch } from "vue";
import { handled, readers, styles } from "handling";

// Milliseconds for which it is still told after the last reader: a page that follows has readers soon.
const READER_TTL = 2000;

export default {
  props: { styles: Object },
  emits: ["live", "wanted"],
  setup(props, { emit }) {
    styles.value = props.styles;
    const isWanted = computed(() => readers.value > 0);
    let sent = false;
    let timer = 0;
    const tell = () => {
      if (isWanted.value !== sent) emit("wanted", (sent = isWanted.value));
    };
    watch(isWanted, (wanted) => {
      clearTimeout(timer);
      if (wanted) tell();
      else timer = setTimeout(tell, READER_TTL);
    });
    onMounted(() => {
      emit("live");
      nextTick(tell);
    });
    onUnmounted(() => clearTimeout(timer));

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
