// The plan of a stream: read by everybody, edited by several people at once and merged by field.
// What is typed is kept in the browser until it is saved. A field that somebody else changes meanwhile shows both values.
import { computed, onMounted, onUnmounted, reactive, ref, shallowRef, watch } from "vue";
import { StatusBadge } from "parts";
import { lostAt } from "shared";
import { keep, readKept } from "kept";

const SIGNAL_INTERVAL = 2000; // ms between two signals that somebody edits a field
const ANSWER_TIMEOUT = 10000; // ms after which a save is sent again
const LEAVE = "You have changes that are not saved. They are kept in this browser. Leave the page?";

const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);
const lines = (metrics) =>
  Object.entries(metrics ?? {})
    .map(([name, value]) => `${name}: ${typeof value === "string" ? value : JSON.stringify(value)}`)
    .join("\n");

// Text of an input by kind of the field, and back; `parse` returns undefined for what is no value.
const KINDS = {
  text: { show: (value) => value ?? "", parse: (text) => text },
  choice: { show: (value) => value ?? "", parse: (text) => text || null },
  date: { show: (value) => value ?? "", parse: (text) => text || null },
  number: { show: (value) => String(value ?? 0), parse: (text) => (text.trim() && +text >= 0 ? +text : undefined) },
  tags: {
    show: (value) => (value ?? []).join(", "),
    parse: (text) => [
      ...new Set(
        text
          .split(",")
          .map((each) => each.trim())
          .filter(Boolean),
      ),
    ],
  },
  metrics: {
    show: lines,
    parse(text) {
      const metrics = {};
      for (const line of text.split("\n").filter((each) => each.trim())) {
        const [name, ...rest] = line.split(":");
        if (!name.trim() || !rest.length) return undefined;
        const value = rest.join(":").trim();
        metrics[name.trim()] = value && !Number.isNaN(+value) ? +value : value;
      }
      return metrics;
    },
  },
};
KINDS.long = KINDS.text;

export default {
  components: { StatusBadge },
  props: { fields: Array, people: Array, statusStyles: Object, storage: String, writes: Boolean },
  emits: ["live", "save", "editing"],
  setup(props, { emit }) {
    const row = shallowRef(null);
    const editors = shallowRef({});
    const typed = reactive({}); // texts of the inputs, while editing
    const base = ref(null); // the values under them; null while not editing
    const theirs = ref({}); // values of others by field, to decide about
    const saving = ref(false);
    const failure = ref("");
    let timer = null;

    const field = (name) => props.fields.find((each) => each.name === name);
    const parsed = (name) => KINDS[field(name).kind].parse(typed[name]);
    const isChanged = (name) => base.value && typed[name] !== KINDS[field(name).kind].show(base.value[name]);
    const changed = computed(() => (base.value ? props.fields.map((each) => each.name).filter(isChanged) : []));
    const invalid = computed(() => changed.value.filter((name) => parsed(name) === undefined));
    const undecided = computed(() => Object.keys(theirs.value));
    const shown = (name, value) => {
      if (field(name).kind === "choice" && name === "owner_id")
        return value ? (props.people.find(([id]) => id === value)?.[1] ?? "A former member") : "–";
      if (name === "goal_status") return props.statusStyles[value]?.label ?? value;
      return KINDS[field(name).kind].show(value) || "–";
    };

    function store() {
      keep(props.storage, changed.value.length ? { typed, base: base.value } : null);
    }
    function stored() {
      const kept = readKept(props.storage);
      return kept?.base && kept.typed ? kept : null;
    }
    function put(name, value) {
      typed[name] = KINDS[field(name).kind].show(value);
    }
    // Take the values of others: at once where nothing was typed, else to decide about.
    function merge(values) {
      for (const { name } of props.fields) {
        if (same(values[name], base.value[name])) continue;
        if (!isChanged(name) || same(parsed(name), values[name])) {
          base.value = { ...base.value, [name]: values[name] };
          put(name, values[name]);
          if (theirs.value[name]) decide(name, true);
        } else theirs.value = { ...theirs.value, [name]: { value: values[name], by: theirs.value[name]?.by } };
      }
    }
    function apply({ set }) {
      if (set.row) {
        row.value = set.row;
        if (base.value) merge(set.row);
        else if (stored() && props.writes) edit(stored());
      }
      if (set.editors) editors.value = set.editors;
    }
    function edit(kept = null) {
      failure.value = "";
      base.value = kept?.base ?? { ...row.value };
      for (const { name } of props.fields) put(name, base.value[name]);
      Object.assign(typed, kept?.typed ?? {});
      merge(row.value);
    }
    function decide(name, takes) {
      const { [name]: found, ...others } = theirs.value;
      theirs.value = others;
      base.value = { ...base.value, [name]: found.value };
      if (takes) put(name, found.value);
      store();
    }
    function close() {
      base.value = null;
      theirs.value = {};
      saving.value = false;
      clearTimeout(timer);
      store();
    }
    function save() {
      if (invalid.value.length || undecided.value.length) return;
      if (!changed.value.length) return close();
      failure.value = "";
      saving.value = true;
      send();
    }
    function send() {
      clearTimeout(timer);
      if (!saving.value) return;
      timer = setTimeout(send, ANSWER_TIMEOUT);
      if (lostAt.value !== null) return;
      const pick = (read) => Object.fromEntries(changed.value.map((name) => [name, read(name)]));
      emit("save", { base: pick((name) => base.value[name]), changes: pick(parsed) });
    }
    // The server's answer: the fields that others have changed, or why nothing was saved.
    function answer(conflicts, sentence) {
      if (!saving.value) return;
      saving.value = false;
      clearTimeout(timer);
      failure.value = sentence;
      if (sentence) return;
      if (!Object.keys(conflicts).length) return close();
      for (const name of changed.value) if (!conflicts[name]) base.value = { ...base.value, [name]: parsed(name) };
      theirs.value = conflicts;
      store();
    }
    const signalled = {};
    function input(name) {
      store();
      if (performance.now() - (signalled[name] ?? -Infinity) < SIGNAL_INTERVAL) return;
      signalled[name] = performance.now();
      emit("editing", name);
    }
    const isUnsaved = () => changed.value.length > 0;
    function onLeave(event) {
      if (isUnsaved()) event.preventDefault();
    }
    function onLink(event) {
      const link = event.target.closest?.("a[href]");
      if (!link || link.target === "_blank" || event.ctrlKey || event.metaKey || !isUnsaved()) return;
      if (link.getAttribute("href").startsWith("#") || confirm(LEAVE)) return;
      event.preventDefault();
      event.stopImmediatePropagation();
    }
    watch(lostAt, (lost) => lost === null && send());
    onMounted(() => {
      window.addEventListener("beforeunload", onLeave);
      document.addEventListener("click", onLink, true);
      emit("live");
    });
    onUnmounted(() => {
      clearTimeout(timer);
      window.removeEventListener("beforeunload", onLeave);
      document.removeEventListener("click", onLink, true);
    });
    return {
      answer,
      apply,
      base,
      changed,
      close,
      decide,
      edit,
      editors,
      failure,
      input,
      invalid,
      row,
      save,
      saving,
      shown,
      theirs,
      typed,
      undecided,
      options: (name) =>
        name === "owner_id"
          ? [["", "Nobody"], ...props.people]
          : Object.entries(props.statusStyles).map(([value, style]) => [value, style.label]),
    };
  },
  template: `
    <form class="lw-plan" data-testid="plan" @submit.prevent="save" @keydown.ctrl.enter.prevent="save">
      <div v-if="row === null" class="lw-ghost" aria-hidden="true"><i></i><i></i><i></i></div>
      <template v-else>
        <div v-for="each in fields" :key="each.name" class="lw-plan__field" :data-field="each.name">
          <label :for="'plan-' + each.name">{{ each.label }}</label>
          <div v-if="!base" class="lw-plan__value" dir="auto"><status-badge v-if="each.name === 'goal_status' && statusStyles[row.goal_status]" :status-style="statusStyles[row.goal_status]" /><template v-else>{{ shown(each.name, row[each.name]) }}</template></div>
          <template v-else>
            <select v-if="each.kind === 'choice'" :id="'plan-' + each.name" v-model="typed[each.name]" class="lw-select" @change="input(each.name)"><option v-for="[value, label] in options(each.name)" :key="value" :value="value">{{ label }}</option></select>
            <textarea v-else-if="each.kind === 'long' || each.kind === 'metrics'" :id="'plan-' + each.name" v-model="typed[each.name]" rows="3" :maxlength="each.max" :placeholder="each.hint" dir="auto" @input="input(each.name)"></textarea>
            <input v-else :id="'plan-' + each.name" v-model="typed[each.name]" :type="each.kind === 'date' ? 'date' : 'text'" :inputmode="each.kind === 'number' ? 'decimal' : undefined" :maxlength="each.max" :placeholder="each.hint" dir="auto" autocomplete="off" @input="input(each.name)">
          </template>
          <p v-if="editors[each.name]" class="lw-plan__note lw-muted" role="status"><bdi>{{ editors[each.name] }}</bdi> edits this…</p>
          <p v-if="invalid.includes(each.name)" class="lw-plan__note lw-sign-in__error" role="alert">{{ each.rule }}</p>
          <div v-if="theirs[each.name]" class="lw-plan__conflict" role="alert">
            <p><bdi>{{ theirs[each.name].by || 'Somebody else' }}</bdi> changed this to <q dir="auto">{{ shown(each.name, theirs[each.name].value) }}</q> meanwhile.</p>
            <button type="button" class="lw-button" @click="decide(each.name, true)">Take theirs</button>
            <button type="button" class="lw-button" @click="decide(each.name, false)">Keep mine</button>
          </div>
        </div>
        <p v-if="failure" class="lw-sign-in__error" role="alert">Not saved: {{ failure }}</p>
        <div v-if="writes" class="lw-plan__end">
          <button v-if="!base" type="button" class="lw-button" @click="edit()">Edit</button>
          <template v-else>
            <button class="lw-button lw-button--primary" :disabled="saving || undecided.length > 0 || invalid.length > 0">{{ saving ? 'Saving…' : 'Save' }}</button>
            <button type="button" class="lw-button" @click="close">Discard</button>
            <span v-if="undecided.length" class="lw-muted" role="status">Decide about the marked fields first.</span>
            <span v-else-if="changed.length" class="lw-muted">Not saved yet; kept in this browser.</span>
          </template>
        </div>
      </template>
    </form>`,
};
