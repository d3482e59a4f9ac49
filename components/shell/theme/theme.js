// State of the shell that the browser stores: theme, density, collapsed sidebar and open drawer. Set on <html>, outside Vue,
// so that re-rendering does not reset it.

const root = document.documentElement;
const THEMES = ["auto", "light", "dark"];
const DENSITIES = ["comfortable", "compact"];
let current = "auto";
let tell = () => {};

function applyTheme(theme) {
  current = THEMES.includes(theme) ? theme : "auto";
  root.dataset.lwTheme = current;
  setDark({ auto: null, light: false, dark: true }[current]);
  nameButton();
}

// The button says which theme is on.
function nameButton() {
  const button = document.querySelector('[data-lw-action="cycle-theme"]');
  if (button) button.title = "Theme: " + (current === "auto" ? "system" : current);
  button?.setAttribute("aria-label", button.title);
}

function applyDensity(density) {
  root.dataset.lwDensity = DENSITIES.includes(density) ? density : DENSITIES[0];
}

function remember(key, value) {
  try {
    localStorage[key] = value;
  } catch {
    // Without storage the setting lasts until the next reload.
  }
}

function remembered(key) {
  try {
    return localStorage[key];
  } catch {
    return undefined;
  }
}

function openDrawer(open) {
  if ((root.dataset.lwDrawer === "open") === open) return;
  root.dataset.lwDrawer = open ? "open" : "closed";
  const sidebar = document.querySelector(".lw-sidebar");
  const opener = document.querySelector('[data-lw-action="open-drawer"]');
  opener?.setAttribute("aria-expanded", String(open));
  (open ? sidebar?.querySelector("a[href]") : opener)?.focus();
}

const ACTIONS = {
  "cycle-theme": () => {
    applyTheme(THEMES[(THEMES.indexOf(current) + 1) % THEMES.length]);
    remember("lw-theme", current);
    tell(current);
  },
  "toggle-sidebar": (button) => {
    const collapsed = root.dataset.lwSidebar !== "collapsed";
    root.dataset.lwSidebar = collapsed ? "collapsed" : "full";
    button.setAttribute("aria-expanded", String(!collapsed));
    remember("lw-sidebar", root.dataset.lwSidebar);
  },
  "open-drawer": () => openDrawer(true),
  "close-drawer": () => openDrawer(false),
};

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-lw-action]");
  if (button) ACTIONS[button.dataset.lwAction]?.(button);
  else if (event.target.closest(".lw-sidebar a[href]")) openDrawer(false);
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") openDrawer(false);
});

export default {
  template: `<span hidden></span>`,
  props: { preset: String, density: String },
  emits: ["switch"],
  created() {
    tell = (theme) => this.$emit("switch", theme);
    this.show(this.preset ?? remembered("lw-theme"), this.density ?? remembered("lw-density"));
    root.dataset.lwSidebar = remembered("lw-sidebar") ?? "full";
  },
  watch: {
    preset(theme) {
      this.show(theme, this.density);
    },
    density(density) {
      this.show(current, density);
    },
  },
  methods: {
    show(theme, density) {
      applyTheme(theme);
      applyDensity(density);
      remember("lw-theme", current);
      remember("lw-density", root.dataset.lwDensity);
    },
  },
  mounted() {
    nameButton();
    const isFull = root.dataset.lwSidebar !== "collapsed";
    document.querySelector('[data-lw-action="toggle-sidebar"]')?.setAttribute("aria-expanded", String(isFull));
  },
};
