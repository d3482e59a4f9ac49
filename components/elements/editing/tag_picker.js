// Chooses tags for several rows: those that all, some or none of them have. Changes are applied by the dialog around it.
import { computed, nextTick, onMounted, reactive, ref } from "vue";
import { number } from "formats";

const MAX_SHOWN = 60; // tags that no chosen row has

export default {
  props: { tags: Array, total: Number },
  emits: ["change", "submit"],
  setup(props, { emit }) {
    const made = ref([]); // tags that are new to the organisation
    const wanted = reactive(new Map()); // true or false by tag, of those that were changed
    const typed = ref("");
    const input = ref(null);
    const all = computed(() => [...made.value.map((name) => ({ name, chosen: 0, used: 0 })), ...props.tags]);
    const folded = computed(() => typed.value.trim().toLowerCase());
    const shown = computed(() => {
      const found = all.value.filter((tag) => tag.name.toLowerCase().includes(folded.value));
      const own = found.filter((tag) => tag.chosen || wanted.has(tag.name));
      return [...own, ...found.filter((tag) => !own.includes(tag)).slice(0, MAX_SHOWN)];
    });
    const exact = computed(() => all.value.find((tag) => tag.name.toLowerCase() === folded.value));
    const stateOf = (tag) => wanted.get(tag.name) ?? (tag.chosen === props.total ? true : tag.chosen ? null : false);

    function tell() {
      const names = (isAdded) => [...wanted].filter(([, added]) => added === isAdded).map(([name]) => name);
      emit("change", { added: names(true), removed: names(false) });
    }
    function toggle(tag) {
      const initial = tag.chosen === props.total ? true : tag.chosen ? null : false;
      // What some have is given to all, taken from all, and left as it is, in turn.
      const next = stateOf(tag) === null ? true : stateOf(tag) ? false : initial === null ? null : true;
      if (next === initial) wanted.delete(tag.name);
      else wanted.set(tag.name, next);
      tell();
    }
    // A comma ends a tag, as in the plan of a stream.
    function add() {
      const names = typed.value
        .split(",")
        .map((name) => name.trim())
        .filter(Boolean);
      if (!names.length) return void emit("submit");
      for (const name of names) {
        const known = all.value.find((tag) => tag.name.toLowerCase() === name.toLowerCase());
        if (!known) made.value = [name, ...made.value];
        if (!known || known.chosen < props.total) wanted.set(known?.name ?? name, true);
      }
      typed.value = "";
      tell();
    }
    function words(tag) {
      if (!tag.chosen) return tag.used ? `on ${number(tag.used)}` : "new";
      return tag.chosen === props.total ? "all" : `${number(tag.chosen)} of ${number(props.total)}`;
    }
    onMounted(() => nextTick(() => input.value?.focus()));
    return { add, exact, input, shown, stateOf, toggle, typed, words };
  },
  template: `
    <div class="lw-picker">
      <div class="lw-picker__add">
        <input ref="input" v-model="typed" type="text" class="lw-picker__input" maxlength="200" autocomplete="off" spellcheck="false" placeholder="Find or add a tag" aria-label="Find or add a tag" data-testid="tag-input" @keydown.enter.prevent="add">
        <button type="button" class="lw-button" :disabled="!typed.trim()" @click="add(), input.focus()">{{ exact || !typed.trim() ? 'Add' : 'Add new' }}</button>
      </div>
      <ul v-if="shown.length" class="lw-picker__tags" aria-label="Tags">
        <li v-for="tag in shown" :key="tag.name">
          <label class="lw-picker__tag"><input type="checkbox" :checked="stateOf(tag) === true" :indeterminate.prop="stateOf(tag) === null" @click="toggle(tag)">
            <bdi class="lw-clip" :title="tag.name">{{ tag.name }}</bdi> <span class="lw-muted lw-number">{{ words(tag) }}</span></label>
        </li>
      </ul>
      <p v-else class="lw-muted">{{ typed.trim() ? 'No such tag yet. Enter adds it.' : 'No tags yet. Type the first one.' }}</p>
    </div>`,
};
