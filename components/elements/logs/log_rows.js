// The lines of a log as the rows of a list: a fold is one row for the consecutive updates of one progress bar.
import { parse } from "ansi";

const MAX_LINES = 20000; // lines kept in the browser
const MAYBE_PROGRESS = /[%/]| of /;
const PERCENT = /(\d+(?:[.,]\d+)?)\s?%/;
const COUNT = /(?:^|[\s([{|:])(\d[\d,._]*)\s?(?:\/|\bof\b)\s?(\d[\d,._]*)(?=$|[\s)\]}|,:;])/;
const UNITS = /[kKMGTP]?i?B(?![a-z])/g;
const VARIABLE = /[\d.,:?]+|[\s()[\]{}<>|/\\=#>*_-]+|[\u2500-\u25ff\u2800-\u28ff]+/g;

// Returns how far a text says that it came, and the text without what changes; null for what shows no progress.
export function progressOf(text) {
  if (!MAYBE_PROGRESS.test(text)) return null;
  const percent = PERCENT.exec(text);
  const count = percent ? null : COUNT.exec(text);
  const number = (given) => Number(given.replace(/[,_]/g, ""));
  if (!percent && !(count && number(count[1]) <= number(count[2]))) return null;
  const subject = text.slice(0, 300).replace(UNITS, "B").replace(VARIABLE, " ").trim();
  return percent
    ? { subject: `%${subject}`, value: Number(percent[1].replace(",", ".")), isStrict: false }
    : { subject: `/${subject}`, value: number(count[1]), isStrict: true };
}

function continues(before, after) {
  const [one, two] = [before.progress, after.progress];
  if (!one || !two || one.subject !== two.subject || before.level !== after.level) return false;
  return two.isStrict ? two.value > one.value : two.value >= one.value;
}

// Lines are `{ id, at, level, message, hit }`, oldest first; `hit` is true or the spans of what was found. Rows are
// `{ key, line, fold, isHead, height }`: of an open fold each line has a row, the first with its head.
export function logRows() {
  const log = { lines: [], rows: [], reset, append, prepend, toggle, find, open, plain };

  function enter(line) {
    line.parsed = parse(line.message);
    line.breaks = line.parsed.text.includes("\n") ? line.parsed.text.split("\n").length : 1;
    line.progress = progressOf(line.parsed.text);
  }

  function add(line) {
    const last = log.rows.at(-1);
    const before = log.lines.at(-1);
    log.lines.push(line);
    if (!last || line.gap || !continues(before, line)) {
      log.rows.push({ key: line.id, line, fold: null, isHead: false, height: 0 });
      return;
    }
    if (!last.fold) {
      last.fold = { lines: [before], isOpen: false };
      last.isHead = true;
    }
    last.fold.lines.push(line);
    if (last.fold.isOpen) log.rows.push({ key: line.id, line, fold: last.fold, isHead: false, height: 0 });
    else Object.assign(last, { line, height: 0 });
  }

  function rebuild(lines) {
    const open = new Set(log.rows.filter((row) => row.isHead && row.fold.isOpen).map((row) => row.key));
    log.lines = [];
    log.rows = [];
    lines.forEach(add);
    for (const row of log.rows.filter((each) => open.has(each.key) && each.isHead)) toggle(row);
  }

  function reset(lines) {
    log.rows = [];
    lines.forEach(enter);
    rebuild(lines);
  }

  // Returns how many lines the browser has no room for: at the beginning, or if that is being read, at the end.
  function append(lines, keepsBeginning) {
    lines.forEach(enter);
    const room = MAX_LINES - log.lines.length;
    if (keepsBeginning) {
      lines.slice(0, Math.max(0, room)).forEach(add);
      return Math.max(0, lines.length - room);
    }
    lines.forEach(add);
    const excess = log.lines.length - MAX_LINES;
    if (excess > 0) rebuild(log.lines.slice(excess + MAX_LINES / 10));
    return Math.max(0, excess);
  }

  function prepend(lines) {
    lines.forEach(enter);
    const heights = new Map(log.rows.map((row) => [row.line, row.height]));
    const all = [...lines, ...log.lines];
    const excess = Math.max(0, all.length - MAX_LINES);
    rebuild(excess ? all.slice(0, -excess) : all);
    for (const row of log.rows) row.height = heights.get(row.line) ?? 0;
    return excess;
  }

  function toggle(row) {
    const { fold } = row;
    const head = log.rows.findIndex((each) => each.fold === fold);
    fold.isOpen = !fold.isOpen;
    const key = fold.lines[0].id;
    const rows = fold.isOpen
      ? fold.lines.map((line, index) => ({ key: line.id, line, fold, isHead: !index, height: 0 }))
      : [{ key, line: fold.lines.at(-1), fold, isHead: true, height: 0 }];
    log.rows.splice(head, fold.isOpen ? 1 : fold.lines.length, ...rows);
  }

  // Returns the index of a line's row, -1 if it is not here.
  function find(id) {
    const holds = (row) => row.fold && !row.fold.isOpen && row.fold.lines.some((line) => line.id === id);
    return log.rows.findIndex((row) => row.line.id === id || holds(row));
  }

  // Opens the fold that hides a line; returns the index of the line's row.
  function open(id) {
    const index = find(id);
    if (index >= 0 && log.rows[index].line.id !== id) toggle(log.rows[index]);
    return index < 0 ? -1 : find(id);
  }

  function plain() {
    return log.lines.map((line) => line.parsed.text).join("\n");
  }
  return log;
}

// Splits the parts of a line at what was found: spans in characters, or texts.
export function marked(line, texts) {
  const { parsed } = line;
  const spans = line.hit ? spansOf(parsed, line.hit, texts) : [];
  if (!spans.length) return parsed.parts;
  const result = [];
  let at = 0;
  for (const part of parsed.parts) {
    const edges = [0, ...spans.flat().map((each) => each - at), part.text.length];
    const cuts = [...new Set(edges)].filter((each) => each >= 0 && each <= part.text.length).sort((a, b) => a - b);
    for (let index = 0; index + 1 < cuts.length; index++) {
      const [from, to] = [cuts[index], cuts[index + 1]];
      const isFound = spans.some((span) => span[0] <= at + from && at + to <= span[1]);
      result.push({ text: part.text.slice(from, to), style: part.style, isFound });
    }
    at += part.text.length;
  }
  return result;
}

const MAX_SPANS = 50;
function spansOf(parsed, hit, texts) {
  const spans = [];
  if (texts.length) {
    const pattern = texts.map((each) => each.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("|");
    for (const found of parsed.text.matchAll(new RegExp(pattern, "giu"))) {
      if (spans.length === MAX_SPANS) break;
      spans.push([found.index, found.index + found[0].length]);
    }
  } else if (Array.isArray(hit) && !parsed.isRedrawn) {
    // PostgreSQL counts characters, where a string has units.
    const starts = [];
    let unit = 0;
    for (const char of parsed.text) {
      starts.push(unit);
      unit += char.length;
    }
    starts.push(unit);
    for (let index = 0; index + 1 < hit.length; index += 2) {
      if (starts[hit[index + 1]] > starts[hit[index]]) spans.push([starts[hit[index]], starts[hit[index + 1]]]);
    }
  }
  return spans;
}
