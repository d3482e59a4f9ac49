// Carets and selections of the others in an editor: moved along by every change, and gone some seconds after the last sign.
import { Decoration, EditorView, StateEffect, StateField, WidgetType } from "nicegui-codemirror";

const COLOURS = 6;

// A caret of a client: { client, user, name, anchor, head }. Positions are those after the transaction's changes.
export const setCaret = StateEffect.define({
  map: (caret, changes) => ({
    ...caret,
    anchor: changes.mapPos(caret.anchor, -1),
    head: changes.mapPos(caret.head, -1),
  }),
});
export const removeCaret = StateEffect.define();

const colourOf = (user) => [...user].reduce((sum, each) => sum + each.charCodeAt(0), 0) % COLOURS;

class CaretWidget extends WidgetType {
  constructor({ user, name }) {
    super();
    this.name = name;
    this.colour = colourOf(user);
  }
  eq(other) {
    return other.name === this.name && other.colour === this.colour;
  }
  toDOM() {
    const caret = document.createElement("span");
    caret.className = "lw-caret";
    caret.dataset.colour = this.colour;
    caret.setAttribute("aria-hidden", "true");
    const name = document.createElement("bdi");
    name.textContent = this.name;
    // Joiners, between which no line breaks.
    caret.append("\u2060", name, "\u2060");
    return caret;
  }
  get estimatedHeight() {
    return -1;
  }
  ignoreEvent() {
    return true;
  }
}

function decorations(carets, length) {
  const ranges = [];
  for (const caret of carets.values()) {
    const [anchor, head] = [caret.anchor, caret.head].map((at) => Math.max(0, Math.min(at, length)));
    const [from, to] = [Math.min(anchor, head), Math.max(anchor, head)];
    if (from < to) {
      const attributes = { "data-colour": String(colourOf(caret.user)) };
      ranges.push(Decoration.mark({ class: "lw-caret-selection", attributes }).range(from, to));
    }
    ranges.push(Decoration.widget({ widget: new CaretWidget(caret), side: -1 }).range(head));
  }
  return Decoration.set(ranges, true);
}

export const carets = StateField.define({
  create: () => ({ byClient: new Map(), shown: Decoration.none }),
  update(value, transaction) {
    const effects = transaction.effects.filter((each) => each.is(setCaret) || each.is(removeCaret));
    if (!effects.length && !(transaction.docChanged && value.byClient.size)) return value;
    const byClient = new Map();
    for (const [client, { anchor, head, ...caret }] of value.byClient) {
      const moved = [anchor, head].map((at) => transaction.changes.mapPos(at, -1));
      byClient.set(client, { ...caret, anchor: moved[0], head: moved[1] });
    }
    for (const each of effects) {
      if (each.is(setCaret)) byClient.set(each.value.client, each.value);
      else byClient.delete(each.value);
    }
    return { byClient, shown: decorations(byClient, transaction.newDoc.length) };
  },
  provide: (field) => EditorView.decorations.from(field, (value) => value.shown),
});

// The end of what a change changes, in the document after it: where its author is.
export function endOf(changes) {
  let end = null;
  changes.iterChangedRanges((_fromA, _toA, _fromB, toB) => (end = toB));
  return end;
}
