// From points of metrics to options of ECharts.
import { number } from "shared";

const HUES = [265, 55, 150, 0, 210, 320];
const MAX_MARKS = 200;
const NARROW = new Intl.NumberFormat(undefined, { maximumSignificantDigits: 6 });
const WIDE = new Intl.NumberFormat(undefined, { notation: "scientific", maximumFractionDigits: 4 });
const NOT_FINITE = { NaN: "not a number", Infinity: "+∞", "-Infinity": "−∞" };

export const isDrawable = (value) => typeof value === "number";
export function valueText(value) {
  if (value === null || value === undefined) return "–";
  if (!isDrawable(value)) return NOT_FINITE[value] ?? "–";
  const size = Math.abs(value);
  return value !== 0 && (size < 1e-4 || size >= 1e9) ? WIDE.format(value) : NARROW.format(value);
}

// The colours of the theme as they are now, and those of runs, as the key of a comparison has them.
function coloursOf(element) {
  const style = getComputedStyle(element);
  const names = ["text", "text-2", "border", "surface", "accent", "critical"];
  return Object.fromEntries(names.map((name) => [name, style.getPropertyValue(`--lw-${name}`).trim()]));
}
// ECharts reads no oklch.
function hueColour(hue) {
  const canvas =
    hueColour.canvas ??
    (hueColour.canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true }));
  canvas.fillStyle = `oklch(0.62 0.16 ${hue})`;
  canvas.fillRect(0, 0, 1, 1);
  const [r, g, b] = canvas.getImageData(0, 0, 1, 1).data;
  return `rgb(${r},${g},${b})`;
}

// A value that cannot be drawn is a gap in the line and a mark across it.
function drawn(points) {
  const finite = (index) => isDrawable(points[index]?.[1]);
  return points.map(([step, value], index) => {
    const isAlone = isDrawable(value) && !finite(index - 1) && !finite(index + 1);
    return { value: [step, isDrawable(value) ? value : null], symbol: isAlone ? "circle" : "none", symbolSize: 5 };
  });
}
export const oddPoints = (points) => points.filter((point) => !isDrawable(point[1]));

export function optionsOf(element, series, runs, range) {
  const colours = coloursOf(element);
  const text = { color: colours["text-2"], fontSize: 11, fontFamily: getComputedStyle(document.body).fontFamily };
  const axisLine = { lineStyle: { color: colours.border } };
  const bounds = range ? { startValue: range[0], endValue: range[1] } : { start: 0, end: 100 };
  return {
    animation: false,
    grid: { left: 4, right: 12, top: 10, bottom: 32, containLabel: true },
    xAxis: {
      type: "value",
      min: "dataMin",
      max: "dataMax",
      minInterval: 1,
      axisLine,
      axisTick: { show: false },
      splitLine: { show: false },
      axisLabel: { ...text, hideOverlap: true, alignMaxLabel: "right", formatter: (step) => number(step) },
    },
    yAxis: { type: "value", scale: true, splitLine: axisLine, axisLabel: { ...text, formatter: valueText } },
    tooltip: {
      trigger: "axis",
      confine: true,
      backgroundColor: colours.surface,
      borderColor: colours.border,
      textStyle: { ...text, color: colours.text },
      axisPointer: { type: "line", lineStyle: { color: colours.border } },
      formatter: (found) => tip(found, runs),
    },
    dataZoom: [
      {
        type: "slider",
        height: 14,
        bottom: 4,
        brushSelect: false,
        showDetail: false,
        borderColor: "transparent",
        ...bounds,
      },
      // The wheel scrolls the page.
      { type: "inside", zoomOnMouseWheel: "ctrl", moveOnMouseMove: false, ...bounds },
    ],
    series: series.map((points, run) => {
      const colour = series.length > 1 ? hueColour(HUES[run]) : colours.accent;
      return {
        name: runs[run] ?? "",
        type: "line",
        itemStyle: { color: colour },
        lineStyle: { color: colour, width: 1.5 },
        emphasis: { disabled: true },
        data: drawn(points),
        markLine: {
          silent: true,
          symbol: "none",
          label: { show: false },
          lineStyle: { color: colours.critical, type: "dashed", width: 1, opacity: 0.7 },
          data: oddPoints(points)
            .slice(-MAX_MARKS)
            .map(([step]) => ({ xAxis: step })),
        },
      };
    }),
  };
}

// Names come from strangers: the tooltip is built of elements, not of HTML.
function tip(found, runs) {
  const box = document.createElement("div");
  const line = (content) => {
    const row = document.createElement("div");
    row.dir = "auto";
    row.textContent = content;
    box.append(row);
  };
  line(`Step ${number(found[0].data.value[0])}`);
  for (const each of found) {
    const name = runs[each.seriesIndex];
    line(`${name ? name + ": " : ""}${valueText(each.data.value[1])}`);
  }
  return box;
}
