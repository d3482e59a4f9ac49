// Keyboard shortcuts; ignored while typing, with modifiers and while a dialog is open.
import { computed, onMounted, onUnmounted, ref } from "vue";
import { pageLink } from "shared";

const SEQUENCE_TIMEOUT_MS = 1500; // between g and the letter
const FIELDS =
  'input, textarea, select, [contenteditable=""], [contenteditable="true"], [role="menu"], [role="listbox"]';
const MODALS = 'dialog[open], [aria-modal="true"]';

export default {
  props: { places: Array, enabled: Boolean },
  setup(props) {
    const dialog = ref(null);
    let isGoing = false;
    let forgetting = 0;

    const open = () => dialog.value.open || dialog.value.showModal();
    const close = () => dialog.value.close();

    function go(key) {
      const place = props.places.find((each) => each.key === key);
      const links = [...document.querySelectorAll(".lw-sidebar nav a")];
      if (place) links.find((link) => link.pathname === pageLink(place.path))?.click();
      return Boolean(place);
    }
    function search() {
      const field = [...document.querySelectorAll("[data-lw-search]")].find((each) => each.getClientRects().length);
      field?.focus();
      field?.select();
      return Boolean(field);
    }
    function undo() {
      const offer = [...document.querySelectorAll(".lw-offers [data-testid=offer] button")].at(-1);
      offer?.click();
      return Boolean(offer);
    }
    function pressed(event) {
      const isOurs = props.enabled && !event.defaultPrevented && !event.isComposing && !event.repeat;
      if (!isOurs || event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.target.closest?.(FIELDS) || document.querySelector(MODALS)) return;
      const wasGoing = isGoing;
      isGoing = false;
      clearTimeout(forgetting);
      let isDone = false;
      if (wasGoing) isDone = go(event.key.toLowerCase());
      else if (event.key === "/") isDone = search();
      else if (event.key === "z") isDone = undo();
      else if (event.key === "?") (isDone = true), open();
      else if (event.key === "g") {
        isDone = isGoing = true;
        forgetting = setTimeout(() => (isGoing = false), SEQUENCE_TIMEOUT_MS);
      }
      if (isDone) event.preventDefault();
    }
    onMounted(() => document.addEventListener("keydown", pressed));
    onUnmounted(() => (document.removeEventListener("keydown", pressed), clearTimeout(forgetting)));

    const rows = computed(() => [
      { keys: ["/"], text: "Search the list" },
      { keys: ["x"], text: "Select the focused row, as Space does; with Shift, arrow keys select more" },
      { keys: ["Ctrl A"], text: "Select all loaded rows of the list that has the focus" },
      { keys: ["e"], text: "Archive the selected rows" },
      { keys: ["t"], text: "Tag the selected rows" },
      { keys: ["#"], text: "Delete the selected rows, as Delete does" },
      { keys: ["m"], text: "Mark the selected messages as read, or acknowledge the selected alerts" },
      { keys: ["z"], text: "Undo what was just done, while that is offered" },
      ...props.places.map((place) => ({ keys: ["g", place.key], text: place.label })),
      { keys: ["?"], text: "This help" },
      { keys: ["Esc"], text: "Close what is open, and select nothing" },
    ]);
    return { close, dialog, open, rows };
  },
  template: `
    <dialog ref="dialog" class="lw-help" aria-labelledby="lw-help-title" data-testid="help" @click.self="close">
      <div class="lw-help__head"><h2 id="lw-help-title">Keyboard shortcuts</h2>
        <button type="button" class="lw-icon-button" title="Close" aria-label="Close" @click="close"><i class="lw-icon notranslate" aria-hidden="true">close</i></button></div>
      <dl class="lw-help__keys">
        <div v-for="row in rows" :key="row.text"><dt>{{ row.text }}</dt>
          <dd><template v-for="(key, index) in row.keys" :key="index"><span v-if="index" class="lw-muted"> then </span><kbd>{{ key }}</kbd></template></dd></div>
      </dl>
      <p class="lw-muted">{{ enabled ? "Not while you type. Settings turn them off." : "They are turned off in the settings." }}</p>
    </dialog>`,
};
