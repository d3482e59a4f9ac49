// What charts share that ECharts draws: its loading, the theme, and parts of options.
import { onUnmounted, ref } from "vue";

// Begins to load what draws, before there is anything to draw.
export const prepareDrawing = () => void import("nicegui-echart").catch(() => {});

// Draws in an element from `begin` on, and again as its size or the theme changes. `draw` gets the chart; `onBegun`, too.
export function useDrawing(host, draw, onBegun = () => {}) {
  const failed = ref(false);
  let chart = null;
  let isGone = false;
  let loading = null;
  const redraw = () => {
    if (chart && host.value?.clientWidth) draw(chart);
  };
  const sizes = new ResizeObserver(() => {
    chart?.resize();
    redraw();
  });
  const themes = new MutationObserver(redraw);
  async function load() {
    try {
      const { echarts } = await import("nicegui-echart");
      if (isGone) return;
      chart = echarts.init(host.value, null, { renderer: "canvas" });
    } catch {
      failed.value = true;
      return;
    }
    sizes.observe(host.value);
    themes.observe(document.body, { attributeFilter: ["class"] });
    onBegun(chart);
    redraw();
  }
  onUnmounted(() => {
    isGone = true;
    sizes.disconnect();
    themes.disconnect();
    chart?.dispose();
  });
  const begin = () => {
    loading ??= load();
    return loading;
  };
  return { begin, failed, redraw, chart: () => chart };
}

// The theme's colours as they are now.
export function coloursOf(element, names) {
  const style = getComputedStyle(element);
  return Object.fromEntries(names.map((name) => [name, style.getPropertyValue(`--lw-${name}`).trim()]));
}

export const textOf = (colours, scale = 1) => ({
  color: colours["text-2"],
  fontSize: 11 * scale,
  fontFamily: getComputedStyle(document.body).fontFamily,
});

export const tooltipOf = (colours, text) => ({
  confine: true,
  backgroundColor: colours.surface,
  borderColor: colours.border,
  textStyle: { ...text, color: colours.text },
});

// Names come from strangers: the tooltip is built of elements, not of HTML.
export function tip(heading, lines) {
  const box = document.createElement("div");
  for (const [index, content] of [heading, ...lines].entries()) {
    const row = document.createElement("div");
    row.dir = "auto";
    row.style.fontWeight = index ? "400" : "600";
    row.textContent = content;
    box.append(row);
  }
  return box;
}

// A point between two gaps would not be seen without a symbol.
export const symbolAt = (isThere, index, scale = 1) => ({
  symbol: isThere(index) && !isThere(index - 1) && !isThere(index + 1) ? "circle" : "none",
  symbolSize: 5 * scale,
});
