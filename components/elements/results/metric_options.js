// From points of metrics to options of ECharts.
import { number } from "formats";
import { coloursOf, symbolAt, textOf, tip, tooltipOf } from "drawing";

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

const COLOURS = ["text", "text-2", "border", "surface", "accent", "critical"];

// Colours of runs, as the key of a comparison has them. ECharts reads no oklch.
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
const drawn = (points) =>
  points.map(([step, value], index) => ({
    value: [step, isDrawable(value) ? value : null],
    ...symbolAt((at) => isDrawable(points[at]?.[1]), index),
  }));
export const oddPoints = (points) => points.filter((point) => !isDrawable(point[1]));

export function optionsOf(element, series, runs, range) {
  const colours = coloursOf(element, COLOURS);
  const text = textOf(colours);
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
      ...tooltipOf(colours, text),
      trigger: "axis",
      axisPointer: { type: "line", lineStyle: { color: colours.border } },
      formatter: (found) => tipOf(found, runs),
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

function tipOf(found, runs) {
  const lines = found.map((each) => {
    const name = runs[each.seriesIndex];
    return `${name ? name + ": " : ""}${valueText(each.data.value[1])}`;
  });
  return tip(`Step ${number(found[0].data.value[0])}`, lines);
}
