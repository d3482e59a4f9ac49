// Toasts, the tab's title and icon, and the tone. Shows each arrival once and groups many into one toast.
import { computed, onMounted, onUnmounted, reactive, ref, watch } from "vue";
import { statusStyleOf } from "formats";
import { pageLink } from "shared";
import { showInTab } from "tab_title";
import { allowSound, playTone, ringFor } from "tone";

const COLLECT_MS = 300; // ms to collect arrivals
const TOAST_SECONDS = 8; // s until a toast closes, unless pointed at or focused
const MAX_TOASTS = 3; // toasts at once
const GROUP_SIZE = 3; // arrivals of one kind that become one toast
const URGENT = 3;
const NAMED = 3;
const NOUNS = { signal_alerts: ["alert", "alerts"], notifications: ["notification", "notifications"] };

const Toast = {
  props: { toast: Object, statusStyles: Object, inboxes: Object },
  emits: ["close", "hold"],
  setup(props) {
    const first = computed(() => props.toast.rows.reduce((top, row) => (row.rank > top.rank ? row : top)));
    const statusStyle = computed(() => statusStyleOf(props.statusStyles[props.toast.table], first.value.level));
    const isGroup = computed(() => props.toast.rows.length > 1);
    const shown = computed(() => {
      const { rows, table } = props.toast;
      if (!isGroup.value) return first.value;
      const names = rows.slice(0, NAMED).map((row) => row.title);
      const others = rows.length - names.length;
      const message = names.join(", ") + (others ? ` and ${others} more` : "");
      return { title: `${rows.length} new ${NOUNS[table][1]}`, message, href: props.inboxes[table] };
    });
    return { isGroup, statusStyle, pageLink, shown };
  },
  template: `
    <article class="lw-toast" :data-tone="statusStyle.tone" data-testid="toast" :data-table="toast.table" :data-count="toast.rows.length"
             @pointerenter="$emit('hold', true)" @pointerleave="$emit('hold', false)" @focusin="$emit('hold', true)" @focusout="$emit('hold', false)"
             @keydown.esc="$emit('close')">
      <span class="lw-tone-icon" aria-hidden="true"><i class="lw-icon notranslate">{{ statusStyle.icon }}</i></span>
      <div class="lw-toast__text">
        <a class="lw-toast__title lw-clip" :href="pageLink(shown.href)" :target="shown.href.startsWith('/') ? undefined : '_blank'" rel="noopener noreferrer"
           :title="shown.title" @click="$emit('close')">{{ shown.title }}</a>
        <span class="lw-toast__level">{{ isGroup && toast.table === 'signal_alerts' ? 'Up to ' + statusStyle.label.toLowerCase() : statusStyle.label }}</span>
        <p v-if="shown.message" class="lw-toast__message">{{ shown.message }}</p>
      </div>
      <button type="button" class="lw-icon-button" title="Dismiss" :aria-label="'Dismiss: ' + shown.title" @click="$emit('close')">
        <i class="lw-icon notranslate" aria-hidden="true">close</i></button>
    </article>`,
};

export default {
  components: { Toast },
  props: { statusStyles: Object, inboxes: Object, place: String, toasts: Boolean, sound: Boolean },
  emits: ["live"],
  setup(props, { emit }) {
    const shown = ref([]); // toasts: { key, table, rows, left }
    const unread = reactive({});
    const count = computed(() => Object.values(unread).reduce((sum, each) => sum + each, 0));
    const said = reactive({ status: "", alert: "" });
    let gathered = [];
    let gathering = 0;
    let keys = 0;
    let held = null;

    function apply({ set }) {
      Object.assign(unread, set.unread);
      if (set.read) withdraw(new Set(set.read.ids));
      if (!set.arrived) return;
      gathered.push(...set.arrived.rows);
      gathering ||= setTimeout(release, COLLECT_MS);
    }

    function release() {
      gathering = 0;
      const rows = gathered;
      gathered = [];
      if (!rows.length) return;
      if (props.sound) ringFor(rows.map((row) => row.id));
      if (!props.toasts) return;
      for (const table of new Set(rows.map((row) => row.table)))
        show(
          table,
          rows.filter((row) => row.table === table),
        );
      while (shown.value.length > MAX_TOASTS) {
        const most = (table) => shown.value.filter((toast) => toast.table === table).length;
        unite(shown.value.map((toast) => toast.table).sort((a, b) => most(b) - most(a))[0]);
      }
      say(rows);
    }

    function show(table, rows) {
      const isGrouped = shown.value.some((toast) => toast.table === table && toast.rows.length > 1);
      for (const row of rows) shown.value.push({ key: ++keys, table, rows: [row], left: TOAST_SECONDS });
      if (isGrouped || rows.length >= GROUP_SIZE) unite(table);
    }

    function unite(table) {
      const [first, ...others] = shown.value.filter((toast) => toast.table === table);
      first.rows = [...others.reverse().flatMap((toast) => toast.rows), ...first.rows];
      first.left = TOAST_SECONDS;
      shown.value = shown.value.filter((toast) => !others.includes(toast));
    }

    function say(rows) {
      const top = Math.max(...rows.map((row) => row.rank));
      const text =
        rows.length === 1
          ? `${rows[0].title}: ${rows[0].message}`
          : `${rows.length} new: ${rows
              .slice(0, NAMED)
              .map((row) => row.title)
              .join(", ")}`;
      said[top >= URGENT ? "alert" : "status"] = text;
    }

    // Withdraw the toasts of rows that were read or deleted in any window.
    function withdraw(ids) {
      gathered = gathered.filter((row) => !ids.has(row.id));
      for (const toast of shown.value) toast.rows = toast.rows.filter((row) => !ids.has(row.id));
      shown.value = shown.value.filter((toast) => toast.rows.length);
    }

    function close(toast) {
      shown.value = shown.value.filter((each) => each !== toast);
      held = null;
    }

    // Urgent toasts stay until dismissed or read; the others' time runs while the page is visible.
    function age() {
      if (document.hidden) return;
      for (const toast of shown.value)
        if (toast.key !== held && !toast.rows.some((row) => row.rank >= URGENT)) toast.left -= 1;
      shown.value = shown.value.filter((toast) => toast.left > 0);
    }
    let clock = null;
    watch(
      () => shown.value.length > 0,
      (some) => {
        clearInterval(clock);
        clock = some ? setInterval(age, 1000) : null;
      },
    );

    watch([count, () => props.place], () => showInTab(props.place, count.value), { immediate: true });
    watch(count, () => document.dispatchEvent(new CustomEvent("lw-unread")));
    const unlock = () => props.sound && allowSound();
    watch(
      () => props.toasts,
      (wanted) => wanted || (shown.value = []),
    );
    onMounted(() => {
      emit("live");
      document.addEventListener("lw-try-sound", playTone);
      addEventListener("pointerdown", unlock, { capture: true, once: true });
      addEventListener("keydown", unlock, { capture: true, once: true });
    });
    onUnmounted(() => {
      clearInterval(clock);
      clearTimeout(gathering);
      document.removeEventListener("lw-try-sound", playTone);
      removeEventListener("pointerdown", unlock, true);
      removeEventListener("keydown", unlock, true);
    });
    return { apply, close, hold: (toast, is) => (held = is ? toast.key : null), said, shown };
  },
  template: `
    <section class="lw-toasts" aria-label="New arrivals">
      <toast v-for="toast in shown" :key="toast.key" :toast="toast" :status-styles="statusStyles" :inboxes="inboxes"
             @close="close(toast)" @hold="hold(toast, $event)" />
      <span class="lw-sr-only" role="status">{{ said.status }}</span><span class="lw-sr-only" role="alert">{{ said.alert }}</span>
    </section>`,
};
