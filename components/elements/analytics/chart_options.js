// From figures to options of ECharts.
import { duration, number } from "formats";
import { coloursOf, symbolAt, textOf, tip, tooltipOf } from "drawing";

const HOUR = 3600e3;
const DAY = 24 * HOUR;
const PALETTE = ["active", "positive", "caution", "critical", "accent", "neutral", "text-3"];

const COLOURS = [...PALETTE, "text", "text-2", "border", "surface", "sunken"];
export const boardColours = (element) => coloursOf(element, COLOURS);

// Amounts are as runs reported them: a cost may be a millionth, a sum of tokens a billion.
const AMOUNT = new Intl.NumberFormat(undefined, { maximumSignificantDigits: 6 });
const EXTREME = new Intl.NumberFormat(undefined, { notation: "scientific", maximumFractionDigits: 4 });
function amount(value) {
  const size = Math.abs(value);
  return value !== 0 && (size < 1e-6 || size >= 1e12) ? EXTREME.format(value) : AMOUNT.format(value);
}

export const valueText = (value, unit) =>
  value === null || value === undefined
    ? "none"
    : unit === "amount"
      ? amount(value)
      : unit === "ms"
        ? duration(value)
        : `${number(value)}${unit && " " + unit}`;

// Labels of parts of the range by the clock of its zone, as short as their width allows; and one in full.
export function timesOf(figure, range) {
  const width = figure.labels.length > 1 ? figure.labels.at(-1) - figure.labels.at(-2) : HOUR;
  const span = range.end - figure.labels[0];
  const format = (options) => new Intl.DateTimeFormat(undefined, { ...options, timeZone: range.zone });
  const clock = format({ hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  const date = format({ month: "short", day: "numeric", ...(span > 300 * DAY && { year: "numeric" }) });
  const full = format({ dateStyle: "medium", ...(width < DAY && { timeStyle: "short" }) });
  const short = (ms) => (width >= DAY || (span > 2 * DAY && clock.format(ms) === "00:00") ? date : clock).format(ms);
  return { short, full: (ms) => full.format(ms) };
}

// What a click on the chart is on: the key of a series and the place of a label.
export function clickable(figure, event) {
  if (event.componentType !== "series") return [null, 0];
  if (figure.form === "heat") return [String(event.value[1]), event.value[0]];
  const place = figure.form === "ranking" ? figure.labels.length - 1 - event.dataIndex : event.dataIndex;
  return [figure.series[event.seriesIndex]?.key ?? null, place];
}

export function summaryOf(figure, label) {
  if (!figure.labels.length || !figure.series.length) return `${label}: nothing in this range`;
  if (figure.form === "heat") {
    const total = figure.series.flatMap((each) => each.values).reduce((sum, value) => sum + value, 0);
    return `${label}: ${number(total)}. The table has the values.`;
  }
  const latest = figure.series.map((each) => `${each.label} ${valueText(each.values.at(-1), figure.unit)}`);
  return `${label}, latest: ${latest.join(", ")}. The table has all values.`;
}

export function optionsOf(figure, range, colours, scale) {
  const text = textOf(colours, scale);
  const base = {
    grid: { left: 8 * scale, right: 12 * scale, top: 34 * scale, bottom: 4 * scale, containLabel: true },
    tooltip: {
      ...tooltipOf(colours, text),
      trigger: "axis",
      axisPointer: { type: figure.form === "bars" ? "shadow" : "line", lineStyle: { color: colours.border } },
    },
    legend: { top: 0, left: 0, itemWidth: 10 * scale, itemHeight: 8 * scale, textStyle: text, type: "scroll" },
  };
  const axisLine = { lineStyle: { color: colours.border } };
  const values = {
    type: "value",
    axisLabel: { ...text, formatter: (value) => valueText(value, figure.unit) },
    splitLine: axisLine,
    ...(figure.unit === "%" ? { min: 0, max: 100 } : { minInterval: figure.unit ? 0 : 1 }),
  };
  const parts = { colours, scale, text, axisLine, values };
  if (figure.form === "heat") return { ...base, ...heat(figure, parts), legend: { show: false } };
  if (figure.form === "ranking") return { ...base, ...ranking(figure, parts) };
  return { ...base, ...overTime(figure, range, parts, base.tooltip) };
}

const colourOf = (each, index, colours) => colours[each.tone ?? PALETTE[index % PALETTE.length]];

function overTime(figure, range, { colours, scale, text, axisLine, values }, tooltip) {
  const times = timesOf(figure, range);
  const series = figure.series.map((each, index) => {
    const colour = colourOf(each, index, colours);
    const common = { name: each.label, itemStyle: { color: colour }, emphasis: { focus: "none" } };
    if (figure.form === "bars")
      return { ...common, type: "bar", stack: "all", barCategoryGap: "15%", data: each.values };
    const line = {
      ...common,
      type: "line",
      lineStyle: { color: colour, width: 1.75 * scale },
      // By itself a narrow chart leaves out the symbols between its labels, and with them the points between two gaps.
      showAllSymbol: true,
      data: points(each.values, scale),
    };
    if (figure.form === "lines") return line;
    return { ...line, step: "end", areaStyle: { color: colour, opacity: 0.15 } };
  });
  return {
    series,
    xAxis: {
      type: "category",
      data: figure.labels,
      axisLine,
      axisTick: { show: false },
      axisLabel: { ...text, margin: 8 * scale, hideOverlap: true, formatter: (ms) => times.short(Number(ms)) },
    },
    yAxis: values,
    tooltip: {
      ...tooltip,
      formatter: (found) => tip(times.full(figure.labels[found[0].dataIndex]), linesOf(found, figure)),
    },
  };
}

const points = (values, scale) =>
  values.map((value, index) => ({ value, ...symbolAt((at) => (values[at] ?? null) !== null, index, scale) }));

// The lines of a tooltip: a value of each series.
const linesOf = (found, figure) =>
  found.map((each) => {
    const value = each.data?.value ?? (typeof each.data === "object" ? null : each.data);
    return `${figure.series[each.seriesIndex].label}: ${valueText(value, figure.unit)}`;
  });

// The first job is at the top, the axis begins at the bottom.
function ranking(figure, { colours, scale, text, axisLine, values }) {
  const cut = (name) => (name.length > 24 ? name.slice(0, 23) + "…" : name);
  const reversed = (list) => [...list].reverse();
  return {
    series: figure.series.map((each, index) => ({
      name: each.label,
      type: "bar",
      stack: "all",
      barMaxWidth: 18 * scale,
      itemStyle: { color: colourOf(each, index, colours) },
      data: reversed(each.values),
    })),
    xAxis: values,
    yAxis: {
      type: "category",
      data: reversed(figure.labels.map((_, index) => index)),
      axisLine,
      axisTick: { show: false },
      axisLabel: { ...text, formatter: (index) => cut(figure.labels[Number(index)] ?? "") },
    },
    tooltip: {
      ...tooltipOf(colours, text),
      trigger: "axis",
      axisPointer: { type: "shadow" },
      formatter: (found) => tip(figure.labels[figure.labels.length - 1 - found[0].dataIndex], linesOf(found, figure)),
    },
  };
}

function heat(figure, { colours, scale, text, axisLine }) {
  const data = figure.series.flatMap((each, day) => each.values.map((value, hour) => [hour, day, value]));
  const most = Math.max(1, ...data.map((cell) => cell[2]));
  const axisLabel = { ...text, hideOverlap: true };
  return {
    grid: { left: 8 * scale, right: 12 * scale, top: 8 * scale, bottom: 4 * scale, containLabel: true },
    series: [
      {
        type: "heatmap",
        data,
        itemStyle: { borderColor: colours.surface, borderWidth: 2 },
        emphasis: { itemStyle: { borderColor: colours.text, borderWidth: 1 } },
      },
    ],
    visualMap: { show: false, min: 0, max: most, inRange: { color: [colours.sunken, colours.critical] } },
    xAxis: { type: "category", data: figure.labels, axisLine, axisTick: { show: false }, axisLabel },
    yAxis: {
      type: "category",
      data: figure.series.map((each) => each.label.slice(0, 3)),
      inverse: true,
      axisLine,
      axisTick: { show: false },
      axisLabel,
    },
    tooltip: {
      ...tooltipOf(colours, text),
      formatter: ({ value: [hour, day, count] }) =>
        `${figure.series[day].label}, ${figure.labels[hour]}: ${number(count)} failed`,
    },
  };
}
