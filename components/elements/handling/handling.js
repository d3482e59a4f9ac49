// Who takes care of a row, as `handled_rows.js` is told, for any component of the window.
import { computed, ref, shallowRef } from "vue";
import { exactTime } from "formats";
import { useNow, useReader } from "shared";

export const handled = shallowRef(new Map()); // by the id of the row: handling, name, and until when a snooze lasts (ms)
export const styles = shallowRef({}); // tone, icon and label by handling

// How many components show it; the server tells it only while there are some.
export const readers = ref(0);

// A snooze ends by time alone: nobody takes care of the row from then on.
export const handlingNow = (handling, until, now) => (until != null && until <= now ? "open" : handling);

export function useHandlingOf(row) {
  const now = useNow();
  useReader(readers);
  return computed(() => {
    const found = handled.value.get(row);
    if (!found) return null;
    const { handling, name, until } = found;
    // Only a snooze makes a row look at the clock.
    if (until != null && handlingNow(handling, until, now.value) === "open") return null;
    const style = styles.value[handling];
    const title = `${style.label} by ${name}` + (until != null ? ` until ${exactTime(until)}` : "");
    return { ...style, handling, name, title };
  });
}

// What a row shows of `handling`, if anything.
export const HANDLED = `
    <span v-if="handling" class="lw-handled" :data-tone="handling.tone" :data-value="handling.handling" :title="handling.title" data-testid="handled"><i class="lw-icon notranslate" aria-hidden="true">{{ handling.icon }}</i><span class="lw-sr-only">{{ handling.label }} by </span><bdi class="lw-clip">{{ handling.name }}</bdi></span>`;
