// One window's editor of a document: sends what is typed, takes what others write, and keeps what is not confirmed yet.
import {
  Compartment,
  defaultKeymap,
  EditorState,
  EditorView,
  history,
  historyKeymap,
  keymap,
  placeholder,
  Text,
  Transaction,
} from "nicegui-codemirror";
import { randomId } from "kept";
import { carets } from "carets";
import { takeOver, collaboration, difference, insertedTexts, isConfirmed, put, readUpdate } from "collaboration";
import { receiveAll, restored, start, stored, takeUnsent, unconfirmed } from "collaboration";
import { changesKeeper } from "kept_changes";
import { caretExchange } from "caret_exchange";
import { onlyText } from "only_text";

const ANSWER_TIMEOUT = 10000; // ms after which an update is sent again
const RETRY_DELAY = 3000; // ms after a refusal that is not final
const CLAIM_INTERVAL = 4000; // ms between two looks for what closed windows left
const MAX_LOG = 2000; // updates kept for what arrives late
export const MAX_LENGTH = 200000; // UTF-16 units

// `send` tells the server: sync, since, push or caret. `on` has handlers: state, typists, lost (texts that have no place any more),
// changed and refuse (an input that is not taken).
export function notesSession({ label, writes, storage, send, isOnline, on }) {
  const client = randomId();
  const keeper = changesKeeper(storage);
  const editable = new Compartment();
  let view = null;
  let base = Text.empty; // the confirmed text
  let log = []; // the latest updates, up to the confirmed version
  let timer = null;
  let claims = null;
  let orphan = null; // what a closed window left, until the updates since then are here
  let isWriting = writes;

  const value = () => view.state.field(collaboration);
  const version = () => (view ? value().version : -1);
  const exchange = caretExchange({
    open: () => view && { view, value: value(), log },
    send,
    isOnline,
    onTypists: on.typists,
  });

  function create(parent, text, at) {
    base = Text.of(text.split("\n"));
    view = new EditorView({ parent, state: EditorState.create({ doc: base, extensions: extensions() }) });
    put(view, start(client, at));
    keeper.begin(client).then(claim);
    // A window that is closed, or loaded anew, holds its lock a moment longer.
    claims = setInterval(claim, CLAIM_INTERVAL);
  }
  function extensions() {
    return [
      collaboration,
      carets,
      history(),
      keymap.of([...defaultKeymap, ...historyKeymap]),
      EditorView.lineWrapping,
      EditorView.perLineTextDirection.of(true),
      placeholder(
        writes ? "Runbook, plan, decisions: everybody of the organisation reads and writes here." : "No notes yet.",
      ),
      EditorView.contentAttributes.of({ "aria-label": label, spellcheck: "true" }),
      editable.of(mayEdit(writes)),
      onlyText(MAX_LENGTH, on.refuse),
      EditorView.updateListener.of(updated),
    ];
  }
  const mayEdit = (may) =>
    [EditorView.editable.of(may), EditorState.readOnly.of(!may)].concat(
      may ? [] : EditorView.contentAttributes.of({ tabindex: "0" }),
    );
  function updated(update) {
    if (update.docChanged) on.changed();
    const isOurs = update.docChanged && !update.transactions.every((each) => each.annotation(Transaction.remote));
    if (isOurs) changed();
    else if (isWriting && (update.selectionSet || update.focusChanged)) exchange.tell();
  }
  function changed() {
    store();
    pump();
  }
  function store() {
    const now = value();
    keeper.write(now.client, isConfirmed(now) ? null : stored(now));
    on.state({ isConfirmed: isConfirmed(now) });
  }

  // Sends the next update, or again the one whose fate is unknown.
  function pump(again = false) {
    if (!view || !isWriting || !isOnline()) return;
    const before = value();
    const now = takeUnsent(before);
    if (now !== before) put(view, now);
    else if (!again) return;
    store();
    if (!now.sent) return;
    later(ANSWER_TIMEOUT);
    send("push", { client: now.client, number: now.number, version: now.version, changes: now.sent.toJSON() });
  }
  function later(delay) {
    clearTimeout(timer);
    timer = setTimeout(() => pump(true), delay);
  }
  // The server's answer: "written" (its update is here, or comes), "later" (sent again) or "refused", with a sentence.
  function settle(number, outcome, sentence) {
    if (!view || !value().sent || value().number !== number) return;
    if (outcome === "later") {
      on.state({ note: sentence });
      later(RETRY_DELAY);
    } else if (outcome === "refused") {
      const texts = insertedTexts(unconfirmed(value()));
      dropAll();
      on.lost(texts, sentence);
    } else {
      clearTimeout(timer);
      timer = setTimeout(missed, RETRY_DELAY, number);
    }
  }
  // An update was written, and is not among those that came: it was before a text that was read as a whole.
  function missed(number, isLast = false) {
    if (!view || !value().sent || value().number !== number) return;
    if (!isOnline()) return void (timer = setTimeout(missed, RETRY_DELAY, number, isLast));
    if (isLast) return dropAll(value().unsent);
    sync();
    timer = setTimeout(missed, RETRY_DELAY, number, true);
  }
  // Goes back to the confirmed text, and then to what `rest` changes of it, as far as it still can.
  function dropAll(rest = null) {
    const now = value();
    const undo = now.sent?.invert(base);
    const kept = rest && undo ? rest.map(undo) : null;
    put(view, { ...now, sent: null, unsent: null }, { changes: toBase() });
    if (kept) view.dispatch({ changes: kept, filter: false });
    clearTimeout(timer);
    store();
    pump();
  }
  const toBase = () => difference(view.state.doc.toString(), base.toString());

  // Takes a frame of the server: `reset` is a whole text, `updates` begin after the version `from`.
  function apply(parent, { reset, from, updates, carets: moved }) {
    if (reset) {
      if (view) replaceBase(reset);
      else create(parent, reset.text, reset.version);
    }
    if (view && updates) {
      if (from > version()) return sync();
      take(updates.slice(version() - from).map(readUpdate));
    }
    if (view && moved) exchange.show(moved);
  }
  function take(updates) {
    if (!updates.length) return store();
    const isSame = receiveAll(view, updates, (update, changes) => {
      base = update.changes.apply(base);
      log.push({ ...update });
      return exchange.written(update, update.client === value().client ? null : changes);
    });
    number(updates.length);
    if (!isSame) heal();
    if (!value().sent) clearTimeout(timer);
    on.state({ note: "" });
    store();
    pump();
    if (isConfirmed(value())) claim();
    exchange.caughtUp(updates.length);
  }
  function number(count) {
    for (let back = 1; back <= count; back++) log.at(-back).version = version() - back + 1;
    log = log.slice(-MAX_LOG);
  }
  // The text of the authority with what is not confirmed: where this window's differs from it, it is put right.
  function heal() {
    const now = value();
    const right = (unconfirmed(now)?.apply(base) ?? base).toString();
    put(view, now, { changes: difference(view.state.doc.toString(), right) });
  }
  // A whole text in place of the updates that led there: its difference counts as one update of somebody else.
  function replaceBase({ text, version: at }) {
    const theirs = EditorState.create({ doc: base }).changes(difference(base.toString(), text));
    const now = value();
    put(view, { ...now, version: at - 1 });
    receiveAll(view, [{ client: "", number: 0, changes: theirs }]);
    base = theirs.apply(base);
    log = [];
    heal();
    store();
    pump(true);
  }

  const sync = () => send("sync", version());

  // Goes on with what a closed window of this browser left, once nothing of this one is unconfirmed.
  async function claim() {
    if (orphan || !isConfirmed(value()) || !isOnline()) return;
    orphan = "asking";
    const kept = await keeper.claim();
    if (!view) return;
    orphan = restored(kept);
    if (orphan && !isWriting) return giveUp(orphan, "You may only read these notes by now.");
    if (orphan) send("since", { client: orphan.client, version: orphan.version });
    else if (kept?.client) keeper.write(kept.client, null);
  }
  // The updates since the version of what was left; null where they are not kept any more.
  function since(of, updates) {
    if (orphan?.client !== of) return;
    const missing = value().version - orphan.version;
    const known = [
      ...(updates ?? []).map(readUpdate),
      ...log.filter((each) => each.version > orphan.version + (updates?.length ?? 0)),
    ];
    const kept = orphan;
    if (!isConfirmed(value())) return void setTimeout(() => since(of, updates), 500);
    orphan = null;
    if (!updates || known.length < missing) {
      return giveUp(kept, "The notes have changed too much since this was typed.");
    }
    takeOver(view, kept, known.slice(0, missing));
    if (value().client !== of) keeper.write(of, null);
    store();
    pump(true);
    claim();
  }

  // Shows the texts of what was left, to be copied.
  function giveUp(kept, sentence) {
    orphan = null;
    on.lost(insertedTexts(unconfirmed(kept)), sentence);
    keeper.write(kept.client, null);
    claim();
  }

  return {
    apply,
    settle,
    since,
    sync,
    resume: () => pump(true),
    text: () => view?.state.doc.toString() ?? "",
    name: exchange.name,
    focus: () => view?.focus(),
    // Changes the text to another, as one who types it: it can be undone.
    change(text) {
      if (!view || !isWriting) return;
      view.dispatch({ changes: difference(view.state.doc.toString(), text), userEvent: "input.restore" });
      view.focus();
    },
    append(text) {
      const { length } = view.state.doc;
      const gap = length && view.state.doc.sliceString(length - 1) !== "\n" ? "\n" : "";
      view.dispatch({ changes: { from: length, insert: gap + text }, userEvent: "input" });
    },
    // Nothing can be written any more.
    end() {
      isWriting = false;
      clearTimeout(timer);
      view?.dispatch({ effects: editable.reconfigure(mayEdit(false)) });
    },
    close() {
      clearTimeout(timer);
      clearInterval(claims);
      exchange.close();
      keeper.close();
      view?.destroy();
      view = null;
    },
  };
}
