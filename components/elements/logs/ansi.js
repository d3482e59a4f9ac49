// Terminal output as a page shows it: colours and fonts (SGR of ECMA-48) become styles, a line that redraws itself shows its
// last state, and every other sequence is removed, also one that never ends. In both themes each text is readable.

const CONTROLS = String.raw`[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]`;
const SEQUENCES = new RegExp(
  [
    String.raw`\u001b\[(?<style>[0-9;:]*)m`,
    String.raw`(?:\u001b\[|\u009b)(?<erase>[012]?)K`,
    String.raw`(?:\u001b\[|\u009b)[0-?]*[ -/]*[@-~]?`,
    String.raw`(?:\u001b[\]PX^_]|[\u0090\u0098\u009d-\u009f])[^\u0007\u001b\u009c]*(?:\u0007|\u001b\\|\u009c)?`,
    String.raw`\u001b[ -/]*[0-~]?`,
    CONTROLS,
  ].join("|"),
  "g",
);
const HIDDEN = new RegExp(CONTROLS);
const isRedrawn = (message) => message.includes("\r") || message.includes("\b");

// Returns the shown text of a message, and its parts, each with a style; null is the style of plain text. `isRedrawn` says
// that some of the message was overwritten.
export function parse(message) {
  if (!HIDDEN.test(message)) return { text: message, parts: [{ text: message, style: null }], isRedrawn: false };
  return isRedrawn(message) ? redrawn(message) : straight(message);
}

function straight(message) {
  const parts = [];
  let style = null;
  let last = 0;
  const add = (text) => text && parts.push({ text, style });
  for (const found of message.matchAll(SEQUENCES)) {
    add(message.slice(last, found.index));
    if (found.groups.style !== undefined) style = styleAfter(style, found.groups.style);
    last = found.index + found[0].length;
  }
  add(message.slice(last));
  return { text: parts.map((each) => each.text).join(""), parts, isRedrawn: false };
}

// A carriage return leads to the line's start, where text overwrites what is there, as on a terminal.
function redrawn(message) {
  const lines = [[]];
  let column = 0;
  let style = null;
  let last = 0;
  const fill = (line, end) => {
    while (line.length < end) line.push({ char: " ", style: null });
  };
  const write = (text) => {
    for (const char of text) {
      if (char === "\n") {
        lines.push([]);
        column = 0;
      } else {
        fill(lines.at(-1), column);
        lines.at(-1)[column++] = { char, style };
      }
    }
  };
  const erase = (how) => {
    const line = lines.at(-1);
    if (how === "2") line.length = 0;
    else if (how === "1") {
      line.splice(0, column + 1);
      line.unshift(...Array.from({ length: column + 1 }, () => ({ char: " ", style: null })));
    } else line.length = Math.min(line.length, column);
  };
  for (const found of message.matchAll(SEQUENCES)) {
    write(message.slice(last, found.index));
    last = found.index + found[0].length;
    if (found[0] === "\r") column = 0;
    else if (found[0] === "\b") column = Math.max(0, column - 1);
    else if (found.groups.style !== undefined) style = styleAfter(style, found.groups.style);
    else if (found.groups.erase !== undefined) erase(found.groups.erase);
  }
  write(message.slice(last));
  const parts = [];
  lines.forEach((line, number) => {
    if (number) line.unshift({ char: "\n", style: null });
    for (const cell of line) {
      if (parts.length && parts.at(-1).style === cell.style) parts.at(-1).text += cell.char;
      else parts.push({ text: cell.char, style: cell.style });
    }
  });
  return { text: parts.map((each) => each.text).join(""), parts, isRedrawn: true };
}

const ON = { 1: "bold", 2: "dim", 3: "italic", 4: "underline", 7: "inverse", 9: "strike", 21: "underline" };
const OFF = { 22: ["bold", "dim"], 23: ["italic"], 24: ["underline"], 27: ["inverse"], 29: ["strike"] };

function styleAfter(style, given) {
  let next = { ...style };
  const codes = given.split(";").map((each) => each.split(":").map(Number));
  for (let index = 0; index < codes.length; index++) {
    const [code, ...rest] = codes[index];
    if (code === 0) next = {};
    else if (ON[code]) next[ON[code]] = !(code === 4 && rest[0] === 0);
    else if (OFF[code]) for (const name of OFF[code]) delete next[name];
    else if (code === 39) delete next.ink;
    else if (code === 49) delete next.paper;
    else if (code === 38 || code === 48) {
      const [colour, used] = rest.length ? [colourOf(rest), 0] : separateColour(codes, index);
      index += used;
      if (colour) next[code === 38 ? "ink" : "paper"] = colour;
    } else if ((code >= 30 && code <= 37) || (code >= 90 && code <= 97)) next.ink = indexOf(code - 30);
    else if ((code >= 40 && code <= 47) || (code >= 100 && code <= 107)) next.paper = indexOf(code - 40);
  }
  for (const [name, value] of Object.entries(next)) if (value === false) delete next[name];
  return Object.keys(next).length ? next : null;
}

// 0 to 7 and 60 to 67 are the sixteen colours of a terminal.
const indexOf = (code) => (code < 8 ? code : code - 52);

// The colour of `38;5;n` and `38;2;r;g;b`, and how many codes it used.
function separateColour(codes, index) {
  const kind = codes[index + 1]?.[0];
  const used = kind === 5 ? 2 : kind === 2 ? 4 : 1;
  return [colourOf(codes.slice(index + 1, index + 1 + used).map((each) => each[0])), used];
}

// The colour of `[5, n]` and `[2, r, g, b]`, the latter also with a colour space; null for what is none.
function colourOf([kind, ...values]) {
  const isByte = (value) => Number.isInteger(value) && value >= 0 && value <= 255;
  if (kind === 5) return isByte(values[0]) ? values[0] : null;
  const rgb = values.length > 3 ? values.slice(1, 4) : values;
  return kind === 2 && rgb.length === 3 && rgb.every(isByte) ? rgb : null;
}

const THEMES = {
  light: { paper: [244, 244, 245], ink: [24, 24, 27] },
  dark: { paper: [27, 29, 33], ink: [236, 236, 239] },
};
// xterm's, https://en.wikipedia.org/wiki/ANSI_escape_code#Colors
const SIXTEEN = [
  [0, 0, 0],
  [205, 0, 0],
  [0, 205, 0],
  [205, 205, 0],
  [0, 0, 238],
  [205, 0, 205],
  [0, 205, 205],
  [229, 229, 229],
  [127, 127, 127],
  [255, 0, 0],
  [0, 255, 0],
  [255, 255, 0],
  [92, 92, 255],
  [255, 0, 255],
  [0, 255, 255],
  [255, 255, 255],
]; // prettier-ignore
const CUBE = [0, 95, 135, 175, 215, 255];

function rgbOf(colour) {
  if (Array.isArray(colour)) return colour;
  if (colour < 16) return SIXTEEN[colour];
  if (colour >= 232) return Array(3).fill(8 + 10 * (colour - 232));
  const index = colour - 16;
  return [CUBE[Math.floor(index / 36)], CUBE[Math.floor(index / 6) % 6], CUBE[index % 6]];
}

// Contrast of WCAG 2: https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio
const MIN_CONTRAST = 4.6;
function luminance(rgb) {
  const [r, g, b] = rgb.map((value) => {
    const part = value / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
function contrast(one, other) {
  const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
}
const mix = (from, to, share) => from.map((value, index) => Math.round(value + (to[index] - value) * share));
const BLACK = [0, 0, 0];
const WHITE = [255, 255, 255];

// The colour itself where it is readable on the paper, else as little darker or lighter as it takes.
function readable(ink, paper) {
  const target = contrast(BLACK, paper) > contrast(WHITE, paper) ? BLACK : WHITE;
  for (let share = 0; share < 1; share += 0.05) {
    const mixed = mix(ink, target, share);
    if (contrast(mixed, paper) >= MIN_CONTRAST) return mixed;
  }
  return target;
}

const css = (rgb) => `rgb(${rgb.join(" ")})`;
const FONTS = ["bold", "italic", "underline", "strike"];
const MAX_PAINTS = 2000;
const paints = new Map();

// Returns class and style of a part; the colours are those of both themes.
export function paint(style) {
  if (!style) return undefined;
  const key = JSON.stringify(style);
  if (!paints.has(key)) {
    if (paints.size >= MAX_PAINTS) paints.clear();
    paints.set(key, painted(style));
  }
  return paints.get(key);
}

function painted(style) {
  const classes = ["lw-ansi", ...FONTS.filter((each) => style[each]).map((each) => `lw-ansi--${each}`)];
  const colours = {};
  for (const [name, theme] of Object.entries(THEMES)) {
    let ink = style.ink === undefined ? null : rgbOf(style.ink);
    let paper = style.paper === undefined ? null : rgbOf(style.paper);
    if (style.inverse) [ink, paper] = [paper ?? theme.paper, ink ?? theme.ink];
    const under = paper ?? theme.paper;
    if (style.dim) ink = mix(ink ?? theme.ink, under, 0.35);
    if (paper) colours[`--paper-${name}`] = css(paper);
    if (ink || paper) colours[`--ink-${name}`] = css(readable(ink ?? theme.ink, under));
  }
  return { class: classes.join(" "), style: colours };
}
