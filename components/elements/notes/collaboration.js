// Collaboration in the scheme of CodeMirror's own: a central authority orders the updates of a document, and what it has not
// confirmed yet is rebased over what it confirms of others. One update at a time is on its way; what is typed meanwhile
// is composed into the next. Python maps in the same way, one update after the other (services/notes/changes.py).
import { Annotation, ChangeSet, StateField, Transaction } from "nicegui-codemirror";

const replaced = Annotation.define();

// `version` counts the confirmed updates. `sent` is the update on its way, with its number, and `unsent` what follows it; each is
// null where there is none.
export const start = (client, version) => ({ client, version, number: 0, sent: null, unsent: null });

export const collaboration = StateField.define({
  create: () => start("", 0),
  update(value, transaction) {
    const given = transaction.annotation(replaced);
    if (given) return given;
    if (!transaction.docChanged) return value;
    const { unsent } = value;
    return { ...value, unsent: unsent ? unsent.compose(transaction.changes) : transaction.changes };
  },
});

export const isConfirmed = ({ sent, unsent }) => !sent && !unsent;

// What is not confirmed, as one change of the confirmed document; null for nothing.
export const unconfirmed = ({ sent, unsent }) => (sent && unsent ? sent.compose(unsent) : (sent ?? unsent));

// The next update to send, if none is on its way.
export function takeUnsent(value) {
  if (value.sent || !value.unsent) return value;
  if (value.unsent.empty) return { ...value, unsent: null }; // typed and deleted again
  return { ...value, number: value.number + 1, sent: value.unsent, unsent: null };
}

// Takes one confirmed update. Returns the new value, and what changes in the document of this window (null for nothing).
// An update of others that was rebased differently from here would part the texts, which `isSame` shows.
export function receive(value, { client, number, changes }) {
  const version = value.version + 1;
  if (value.sent && client === value.client && number === value.number) {
    const isSame = JSON.stringify(value.sent) === JSON.stringify(changes);
    return { value: { ...value, version, sent: null }, changes: null, isSame };
  }
  let theirs = changes;
  let { sent, unsent } = value;
  if (sent) [sent, theirs] = [sent.map(theirs), theirs.map(sent, true)];
  if (unsent) [unsent, theirs] = [unsent.map(theirs), theirs.map(unsent, true)];
  return { value: { ...value, version, sent, unsent }, changes: theirs, isSame: true };
}

// Replaces the value, and changes the document by what others did, which nobody here can undo.
export function put(view, value, { changes = null, effects = [] } = {}) {
  view.dispatch({
    ...(changes && { changes }),
    effects,
    annotations: [replaced.of(value), Transaction.addToHistory.of(false), Transaction.remote.of(true)],
    filter: false,
  });
}

// Takes confirmed updates in one transaction; returns whether the text is still the authority's.
// `onUpdate` is called with each update and its change, and returns effects for positions after it.
export function receiveAll(view, updates, onUpdate = () => []) {
  let value = view.state.field(collaboration);
  let all = null;
  let effects = [];
  let isSame = true;
  for (const update of updates) {
    const taken = receive(value, update);
    ({ value } = taken);
    isSame &&= taken.isSame;
    if (taken.changes) {
      all = all ? all.compose(taken.changes) : taken.changes;
      effects = effects.map((each) => each.map(taken.changes)).filter(Boolean);
    }
    effects = [...effects, ...onUpdate(update, taken.changes)];
  }
  put(view, value, { changes: all, effects });
  return isSame;
}

// Goes on with what another window of this browser left unconfirmed: as the client that the window was, so that what it has
// sent counts once. `updates` are those since the kept version, up to this window's, which has nothing unconfirmed itself.
export function takeOver(view, kept, updates) {
  let value = kept;
  for (const update of updates) ({ value } = receive(value, update));
  const changes = unconfirmed(value);
  if (changes) view.dispatch({ changes, annotations: replaced.of(value), filter: false, userEvent: "input" });
}

// The smallest replacement that turns one text into another; it splits no surrogate pair.
export function difference(before, after) {
  const isHalf = (text, at) => at > 0 && at < text.length && (text.charCodeAt(at) & 0xfc00) === 0xdc00;
  const most = Math.min(before.length, after.length);
  let from = 0;
  while (from < most && before[from] === after[from]) from++;
  if (isHalf(before, from) || isHalf(after, from)) from--;
  let end = 0;
  while (end < most - from && before.at(-1 - end) === after.at(-1 - end)) end++;
  if (isHalf(before, before.length - end) || isHalf(after, after.length - end)) end--;
  return { from, to: before.length - end, insert: after.slice(from, after.length - end) };
}

// The texts that a change inserts.
export function insertedTexts(changes) {
  const texts = [];
  changes?.iterChanges((_fromA, _toA, _fromB, _toB, text) => text.length && texts.push(text.toString()), true);
  return texts;
}

// An update as the server sends it: [client, number, author, changes].
export const readUpdate = ([client, number, user, changes]) => ({
  client,
  number,
  user,
  changes: ChangeSet.fromJSON(changes),
});

// What a browser keeps of a value, and back; null for what is none.
export function stored({ client, version, number, sent, unsent }) {
  return { client, version, number, sent: sent?.toJSON() ?? null, unsent: unsent?.toJSON() ?? null };
}
export function restored(kept) {
  try {
    const { client, version, number, sent, unsent } = kept;
    const read = (changes) => (changes ? ChangeSet.fromJSON(changes) : null);
    const value = { client, version, number, sent: read(sent), unsent: read(unsent) };
    const fits = !value.sent || !value.unsent || value.sent.newLength === value.unsent.length;
    const isValue = typeof client === "string" && Number.isInteger(version) && Number.isInteger(number) && fits;
    return isValue && !isConfirmed(value) ? value : null;
  } catch {
    return null;
  }
}
