// Elements of one log line. Everything is set as text.
import { paint } from "ansi";
import { clockTime, exactTime } from "formats";
import { marked } from "log_rows";

export const TONES = { warning: "caution", error: "critical", critical: "critical" };

export function element(tag, className, text, attributes = {}) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text) made.textContent = text;
  for (const [name, value] of Object.entries(attributes)) if (value !== undefined) made.setAttribute(name, value);
  return made;
}

// The text of a line, with its colours and what was found in it.
export function textElement(line, texts) {
  const box = element("span", "lw-log__text", "", { dir: "auto" });
  for (const part of marked(line, texts)) {
    const painted = paint(part.style);
    if (!painted && !part.isFound) {
      box.append(part.text);
      continue;
    }
    const made = element(part.isFound ? "mark" : "span", painted?.class, part.text);
    for (const [name, value] of Object.entries(painted?.style ?? {})) made.style.setProperty(name, value);
    box.append(made);
  }
  return box;
}

// The parts of a line before its text: its time, as a link to the line, and its level.
export function headElements(line, href) {
  const time = element("time", "", clockTime(line.at), { title: exactTime(line.at) });
  const link = element("a", "lw-log__at", "", { href, "aria-label": `Line of ${exactTime(line.at)}` });
  link.append(time);
  return line.level === "info" ? [link] : [link, element("span", "lw-log__level", line.level)];
}
