// The rows of a list that the user has chosen: by checkbox, with Shift for a range, and from the keyboard.
import { reactive, ref } from "vue";

// order: ref of the rendered ids. onChange: called with the chosen ids.
export function useSelection(order, onChange) {
  const chosen = reactive(new Set());
  const isChoosing = ref(false); // shows the checkboxes of all rows, for those who cannot hover
  let anchor = null;

  function set(ids, isChosen) {
    for (const id of ids) isChosen ? chosen.add(id) : chosen.delete(id);
    onChange([...chosen]);
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
  function clear() {
    anchor = null;
    isChoosing.value = false;
    if (chosen.size) set([...chosen], false);
  }
  // Returns whether the key was one of ours. `id`: the focused row; `next`: the row that an arrow key leads to.
  function press(event, id, next) {
    const isPlain = !event.ctrlKey && !event.metaKey && !event.altKey;
    if (event.key === "x" && isPlain && !event.shiftKey) toggle(id, false);
    else if (event.shiftKey && isPlain && next) set([id, next], true), (anchor = next);
    else if (event.key === "a" && (event.ctrlKey || event.metaKey)) set(order.value, true);
    else if (event.key === "Escape" && (chosen.size || isChoosing.value)) clear();
    else return false;
    return true;
  }
  return { chosen, clear, isChoosing, press, toggle };
}
