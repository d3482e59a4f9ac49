// The organisation of this window, in the URL of every page, so that reloads, links and other windows keep their own.
import { computed, nextTick, onMounted, onUnmounted, ref } from "vue";

const YEAR = 365 * 24 * 3600;
const FITS_ANY = ["/", "/monitoring", "/alerts", "/notifications", "/settings"]; // pages that show no row of one organisation

export default {
  props: { choices: Array, current: String, parameter: String, cookie: String, unread: Object },
  emits: ["create"],
  setup(props, { emit }) {
    const open = ref(false);
    const elsewhere = ref(null);
    const button = ref(null);
    const menu = ref(null);
    const name = computed(() => props.choices.find((choice) => choice.id === props.current)?.name ?? "");
    const shown = (count) => (count > 99 ? "99+" : String(count));
    const waiting = computed(() =>
      props.choices.reduce(
        (sum, choice) => sum + (choice.id === props.current ? 0 : (props.unread[choice.id] ?? 0)),
        0,
      ),
    );
    const label = computed(() => {
      const elsewhere = waiting.value ? ` ${waiting.value} unread alerts in your other organisations.` : "";
      return `Organisation: ${name.value}. Switch.${elsewhere}`;
    });
    const prefix = window.path_prefix ?? "";
    const channel = new BroadcastChannel("livewatch-organisation");

    // Keep the parameter in every URL of this window.
    const marked = (address) => {
      const url = new URL(address, location.href);
      if (url.origin === location.origin && !url.searchParams.has(props.parameter)) {
        url.searchParams.set(props.parameter, props.current);
      }
      return url.pathname + url.search + url.hash;
    };
    const replace = (state, title, address) =>
      History.prototype.replaceState.call(history, state, title, marked(address ?? location.href));
    history.replaceState = replace;
    history.pushState = (state, title, address) => {
      const isHere = marked(address ?? location.href) === location.pathname + location.search + location.hash;
      if (isHere) replace(state, title, address);
      else History.prototype.pushState.call(history, state, title, marked(address));
    };

    function remember() {
      document.cookie = `${props.cookie}=${props.current};path=${prefix || "/"};max-age=${YEAR};samesite=lax`;
    }
    function show(id) {
      const here = location.pathname.slice(prefix.length) || "/";
      const fitting = FITS_ANY.includes(here) || here.startsWith("/monitoring/") ? here : "/monitoring";
      location.assign(`${prefix}${fitting}?${props.parameter}=${id}`);
    }
    function choose(choice) {
      toggle(false);
      if (choice.id === props.current) return;
      channel.postMessage({ id: choice.id });
      show(choice.id);
    }
    function create() {
      toggle(false);
      emit("create");
    }
    async function toggle(to = !open.value) {
      if (to === open.value) return;
      open.value = to;
      await nextTick();
      (to ? menu.value?.querySelector('[aria-checked="true"]') : button.value)?.focus();
    }
    function move(step) {
      const items = [...menu.value.querySelectorAll("button")];
      items[(items.indexOf(document.activeElement) + step + items.length) % items.length]?.focus();
    }
    const closeOutside = (event) => {
      if (open.value && !event.target.closest(".lw-switcher")) open.value = false;
    };
    // Add the organisation to links before the browser opens them in another tab.
    const markLink = (event) => {
      const link = event.target.closest?.("a[href]");
      if (link?.getAttribute("href").startsWith("/") && event.button !== 0) link.href = marked(link.href);
    };

    channel.onmessage = ({ data }) => {
      const choice = props.choices.find((each) => each.id === data?.id);
      elsewhere.value = choice && choice.id !== props.current ? choice : null;
    };
    onMounted(() => {
      history.replaceState(history.state, "", location.href);
      remember();
      document.addEventListener("pointerdown", closeOutside);
      document.addEventListener("pointerdown", markLink, true);
    });
    onUnmounted(() => {
      channel.close();
      delete history.pushState;
      delete history.replaceState;
      document.removeEventListener("pointerdown", closeOutside);
      document.removeEventListener("pointerdown", markLink, true);
    });
    return { button, choose, create, elsewhere, label, menu, move, name, open, show, shown, toggle, waiting };
  },
  template: `
    <div class="lw-switcher" @keydown.esc="toggle(false)">
      <button ref="button" type="button" class="lw-switcher__button" aria-haspopup="menu" :aria-expanded="String(open)"
              data-testid="organisation" :aria-label="label" @click="toggle()">
        <span class="lw-clip">{{ name }}</span><i class="lw-icon notranslate" aria-hidden="true">unfold_more</i>
        <span v-if="waiting" class="lw-count" aria-hidden="true" data-testid="unread-elsewhere" title="Unread alerts in your other organisations">{{ shown(waiting) }}</span>
      </button>
      <div v-if="open" ref="menu" class="lw-panel lw-menu lw-switcher__menu" role="menu" aria-label="Organisations"
           @keydown.down.prevent="move(1)" @keydown.up.prevent="move(-1)" @keydown.tab="open = false">
        <button v-for="choice in choices" :key="choice.id" type="button" class="lw-menu__item" role="menuitemradio"
                :aria-checked="String(choice.id === current)" @click="choose(choice)">
          <i class="lw-icon notranslate" aria-hidden="true">{{ choice.id === current ? 'check' : '' }}</i>
          <span class="lw-clip">{{ choice.name }}</span><span v-if="unread[choice.id]" class="lw-count" :aria-label="unread[choice.id] + ' unread alerts'">{{ shown(unread[choice.id]) }}</span>
          <span class="lw-muted lw-switcher__note">{{ choice.note }}</span>
        </button>
        <button type="button" class="lw-menu__item" role="menuitem" @click="create">
          <i class="lw-icon notranslate" aria-hidden="true">add</i><span>New organisation</span>
        </button>
      </div>
      <teleport to="body">
        <div v-if="elsewhere" class="lw-offers">
          <div class="lw-panel lw-offer" role="status" data-testid="switched-elsewhere">
            <span>Another window now shows <b>{{ elsewhere.name }}</b>.</span>
            <button type="button" class="lw-text-button" @click="show(elsewhere.id)">Switch here too</button>
            <button type="button" class="lw-icon-button" aria-label="Stay here" title="Stay here" @click="elsewhere = null">
              <i class="lw-icon notranslate" aria-hidden="true">close</i></button>
          </div>
        </div>
      </teleport>
    </div>`,
};
