// Runs before the page's HTML: the theme, which would flash otherwise, and the reader's format of numbers.
const PLAIN = ["en", "en-US", "en-GB", "en-AU", "en-CA", "en-NZ", "en-IE"];
globalThis.lwFirst = {
  host: document.getElementById("lw-first"),
  stored(key) {
    try {
      return localStorage[key];
    } catch {
      return undefined;
    }
  },
  theme() {
    const { theme, density } = this.host.dataset;
    const chosen = theme ?? this.stored("lw-theme");
    const isDark = chosen === "dark" || (chosen !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
    document.body.classList.add(isDark ? "body--dark" : "body--light");
    Object.assign(document.documentElement.dataset, {
      lwTheme: chosen ?? "auto",
      lwDensity: density ?? this.stored("lw-density") ?? "comfortable",
      lwSidebar: this.stored("lw-sidebar") ?? "full",
    });
  },
  // What scripts will import, once the first frame is painted. A hidden page has no frames, and nothing to show before.
  preload(urls) {
    const link = (href) => Object.assign(document.createElement("link"), { rel: "modulepreload", href });
    const load = () => document.head.append(...urls.map(link));
    if (document.hidden) load();
    else requestAnimationFrame(() => setTimeout(load));
  },
  // The page has numbers as English writes them. Only a reader of another language needs formatters here: the first one
  // takes a browser 10 to 30 ms, before anything shows.
  format() {
    if (PLAIN.includes(navigator.language)) return;
    const number = new Intl.NumberFormat(undefined, { maximumFractionDigits: 3 });
    for (const each of this.host.querySelectorAll("[data-number]"))
      each.textContent = number.format(each.dataset.number);
    const whole = new Intl.NumberFormat(undefined, { style: "percent" });
    const tenth = new Intl.NumberFormat(undefined, { style: "percent", minimumFractionDigits: 1 });
    for (const each of this.host.querySelectorAll("[data-percent]")) {
      const value = Number(each.dataset.percent);
      const format = value === 0 || value === 100 ? whole : tenth;
      each.textContent = format.format(Math.floor(value * 10 + 1e-6) / 1000);
    }
  },
};
globalThis.lwFirst.theme();
