// Tells the others where this window's caret is, and shows theirs.
import { carets, endOf, removeCaret, setCaret } from "carets";
import { isConfirmed } from "collaboration";

const INTERVAL = 300; // ms between two signals of this window's caret
const TTL = 10000; // ms after its last sign that a caret of somebody else is gone

// `open` returns the view, the value and the log of updates of the document; null before it is here.
export function caretExchange({ open, send, isOnline, onTypists }) {
  const seenAt = new Map(); // ms of the last sign, by client
  const wroteAt = new Map(); // version of the last update, by client
  let early = []; // those of versions that are not here yet
  let names = {};
  let timer = null;
  let sent = "";
  let ownEnd = null; // where this window's last update ends, which the others know

  const personOf = ({ client, user }) => ({ client, user, name: names[user] ?? "Somebody" });

  // Who writes is where the update ends. Returns effects; `changes` are null for an update of this window.
  function written(update, changes) {
    if (!changes) {
      ownEnd = endOf(update.changes);
      return [];
    }
    if (ownEnd !== null) ownEnd = update.changes.mapPos(ownEnd, -1);
    const head = endOf(changes);
    seenAt.set(update.client, performance.now());
    return head === null ? [] : [setCaret.of({ ...personOf(update), anchor: head, head })];
  }
  // As many updates came, which may be what carets have waited for.
  function caughtUp(count) {
    for (const update of open().log.slice(-count)) wroteAt.set(update.client, update.version);
    const waiting = early;
    early = [];
    show(waiting);
    tell();
  }
  function show(moved) {
    for (const caret of moved) place(caret);
    tellTypists();
  }
  // A caret at a version: moved over the updates since then, and over what is not confirmed here.
  function place(caret) {
    const { view, value, log } = open();
    const { client, version } = caret;
    // Who has written since is where that ends.
    if (client === value.client || version < (wroteAt.get(client) ?? 0)) return;
    if (version > value.version) return void early.push(caret);
    const since = log.filter((each) => each.version > version);
    if (since.length < value.version - version) return;
    const over = [...since.map((each) => each.changes), value.sent, value.unsent].filter(Boolean);
    const [anchor, head] = [caret.anchor, caret.head].map((position) => {
      let moved = position;
      for (const changes of over) moved = changes.mapPos(Math.min(moved, changes.length), -1);
      return Math.min(moved, view.state.doc.length);
    });
    seenAt.set(client, performance.now());
    view.dispatch({ effects: setCaret.of({ ...personOf(caret), anchor, head }) });
  }
  function tell() {
    if (timer || !open()?.view.hasFocus) return;
    timer = setTimeout(() => {
      timer = null;
      const { view, value } = open() ?? {};
      if (!view?.hasFocus || !isOnline() || !isConfirmed(value)) return;
      const { anchor, head } = view.state.selection.main;
      const place = `${anchor} ${head}`;
      if (place === sent) return;
      sent = place;
      if (anchor === head && head === ownEnd) return;
      send("caret", { client: value.client, version: value.version, anchor, head });
    }, INTERVAL);
  }
  function tellTypists() {
    const byUser = new Map();
    for (const { user, name } of open().view.state.field(carets).byClient.values()) byUser.set(user, name);
    onTypists([...byUser.values()]);
  }
  const expiry = setInterval(() => {
    const gone = [...seenAt].filter(([, at]) => performance.now() - at > TTL).map(([client]) => client);
    if (!gone.length || !open()) return;
    for (const client of gone) seenAt.delete(client);
    open().view.dispatch({ effects: gone.map((client) => removeCaret.of(client)) });
    tellTypists();
  }, 2000);

  return {
    written,
    caughtUp,
    show,
    tell,
    name: (byId) => (names = byId),
    close() {
      clearTimeout(timer);
      clearInterval(expiry);
    },
  };
}
