// What windows of this browser have typed and the server has not confirmed: each window keeps its own under its client's name, and
// goes on with what a closed one left. A window holds a lock while it lives; where there are none (plain http on a network),
// a window that is closed says so in what it leaves.
import { keep, readKept } from "kept";

export function changesKeeper(prefix) {
  const { locks } = navigator;
  const releases = new Map(); // of the locks, by key
  const keyOf = (client) => `${prefix}:${client}`;
  let last = null; // what is kept, to mark it

  const hold = (key) =>
    new Promise((done) => {
      if (!locks) return done(true);
      locks.request(key, { ifAvailable: true }, (lock) => {
        done(lock !== null);
        return lock && new Promise((release) => releases.set(key, release));
      });
    });
  function leave() {
    if (!locks && last) keep(keyOf(last.client), { ...last, isClosed: true });
  }
  const others = () => {
    try {
      return Object.keys(localStorage).filter((key) => key.startsWith(`${prefix}:`) && !releases.has(key));
    } catch {
      return [];
    }
  };
  window.addEventListener("pagehide", leave);

  return {
    begin: (client) => hold(keyOf(client)),
    // Keeps the changes of a client; null for none.
    write(client, changes) {
      if (changes || last?.client === client) last = changes;
      keep(keyOf(client), changes);
    },
    // Returns what a closed window left, which is this one's from now on; null for nothing.
    async claim() {
      for (const key of others()) {
        const kept = readKept(key);
        if (!kept?.client || key !== keyOf(kept.client) || (!locks && !kept.isClosed)) continue;
        if (!(await hold(key))) continue;
        const found = readKept(key);
        if (found && !locks) keep(key, { ...found, isClosed: false });
        if (found) return found;
      }
      return null;
    },
    close() {
      leave();
      window.removeEventListener("pagehide", leave);
      for (const release of releases.values()) release();
      releases.clear();
    },
  };
}
