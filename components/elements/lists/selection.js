// The chosen rows of a list, by mouse and by keyboard.
import { reactive, ref } from "vue";
import { pageLink } from "shared";

const TEXT_FIELDS = 'input:not([type="checkbox"]), textarea, select, [contenteditable=""], [contenteditable="true"]';
const LEAD_TIME = 1500; // that of shortcuts.js
// Milliseconds after which a row that is still there looks like any other.
const LEAVING_TIME = 60_000;
const HAS_OWN_SPACE = "button, input, select, summary, [role=button]";

// order: ref of the rendered ids. emit: emits `choose` with the chosen ids, `act` with the key of an action, one of those
// that `keys` returns, and `exportFailed` with a sentence.
export function useSelection(order, emit, keys) {
  const chosen = reactive(new Set());
  const leaving = reactive(new Set()); // rows that will be deleted unless the user takes that back
  const isChoosing = ref(false); // shows the checkboxes of all rows, for those who cannot hover
  let anchor = null;
  let ledAt = -LEAD_TIME;

  function set(ids, isChosen) {
    for (const id of ids) isChosen ? chosen.add(id) : chosen.delete(id);
    emit("choose", [...chosen]);
  }
  function range(from, to) {
    const [start, end] = [order.value.indexOf(from), order.value.indexOf(to)].sort((a, b) => a - b);
    return start < 0 ? [to] : order.value.slice(start, end + 1);
  }
  function toggle(id, isRange) {
    const isChosen = !chosen.has(id);
    set(isRange && anchor ? range(anchor, id) : [id], isChosen);
    anchor = id;
  }
  // Back over a chosen row, a range shrinks.
  function extend(from, to) {
    if (chosen.has(from) && chosen.has(to) && from !== to) set([from], false);
    else set([from, to], true);
    anchor = to;
  }
  function clear() {
    anchor = null;
    isChoosing.value = false;
    if (chosen.size) set([...chosen], false);
  }
  // Returns whether the key was one of ours. `id`: the focused row; `next`: the row that an arrow key leads to.
  function press(event, id, next) {
    const leads = event.timeStamp - ledAt < LEAD_TIME; // after g, the key is that of a page
    ledAt = event.key === "g" ? event.timeStamp : -LEAD_TIME;
    if (leads || event.isComposing || event.target.closest?.(TEXT_FIELDS)) return false;
    const isPlain = !event.ctrlKey && !event.metaKey && !event.altKey;
    const chooses = event.key === "x" || (event.key === " " && !event.target.closest?.(HAS_OWN_SPACE));
    const key = event.key === "Delete" ? "#" : event.key;
    if (chooses && isPlain && !event.shiftKey) toggle(id, false);
    else if (event.shiftKey && isPlain && next) extend(id, next);
    else if (event.key === "a" && (event.ctrlKey || event.metaKey)) set(order.value, true);
    else if (event.key === "Escape" && (chosen.size || isChoosing.value)) clear();
    else if (isPlain && chosen.size && keys().includes(key)) event.repeat || emit("act", key);
    else return false;
    return true;
  }
  // In the order of the list; rows that were scrolled away come last.
  async function exportChosen(path) {
    const shown = order.value.filter((id) => chosen.has(id));
    const failure = await downloadRows(path, [...new Set([...shown, ...chosen])]);
    if (failure) emit("exportFailed", failure);
  }
  function setLeaving(ids, isLeaving) {
    for (const id of ids) isLeaving ? leaving.add(id) : leaving.delete(id);
    if (isLeaving) setTimeout(() => setLeaving(ids, false), LEAVING_TIME);
  }
  return { chosen, clear, exportChosen, isChoosing, leaving, press, setLeaving, toggle };
}

// Downloads an export of exactly these rows; resolves to a sentence where that failed, else to "". The ids are the body
// of the request, since an address has no room for thousands.
async function downloadRows(path, ids) {
  try {
    const answer = await fetch(pageLink(path), { method: "POST", body: ids.join("\n") });
    const file = answer.ok ? await answer.blob() : null;
    if (!file) return (await answer.text()) || `The export failed (${answer.status}). Try again.`;
    const link = document.createElement("a");
    link.href = URL.createObjectURL(file);
    link.download = /filename="([^"]+)"/.exec(answer.headers.get("content-disposition") ?? "")?.[1] ?? "export";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
    return "";
  } catch {
    return "The export was cut off: the server did not answer, or access ended. Try again.";
  }
}
