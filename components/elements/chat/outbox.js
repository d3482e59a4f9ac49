// Messages that the server has not confirmed yet: kept in the browser, sent one after the other, in order.
// The same id is written once, so that a message is sent again whenever its fate is unknown.
import { ref, watch } from "vue";
import { lostAt } from "shared";
import { keep, readKept } from "kept";

const ANSWER_TIMEOUT = 10000; // ms after which a message is sent again
const RETRY_DELAY = 3000; // ms after a refusal that is not final

export function useOutbox(key, send) {
  const waiting = ref([]);
  let sent = null; // the id that waits for an answer
  let timer = null;

  function read() {
    const stored = readKept(key);
    return Array.isArray(stored) ? stored.filter((each) => each?.id && typeof each.body === "string") : [];
  }
  function write(messages) {
    waiting.value = messages;
    keep(key, messages.length ? messages : null);
  }
  const stored = () => (read().length ? read() : waiting.value);
  function later(delay) {
    clearTimeout(timer);
    timer = setTimeout(() => {
      sent = null;
      pump();
    }, delay);
  }
  function pump() {
    const next = waiting.value.find((each) => !each.refused);
    if (sent || !next || lostAt.value !== null) return;
    sent = next.id;
    later(ANSWER_TIMEOUT);
    send({ id: next.id, body: next.body, reply_to: next.reply_to, mentions: next.mentions });
  }
  function put(message) {
    write([...stored(), message]);
    pump();
  }
  function drop(id) {
    write(stored().filter((each) => each.id !== id));
    if (sent === id) sent = null;
    pump();
  }
  // The server's answer: "sent", "later" (tried again) or "refused", with a sentence.
  function settle(id, outcome, sentence) {
    if (outcome === "sent") return drop(id);
    write(
      stored().map((each) => (each.id === id ? { ...each, note: sentence, refused: outcome === "refused" } : each)),
    );
    if (sent !== id) return;
    if (outcome === "later") return later(RETRY_DELAY);
    sent = null;
    pump();
  }
  function retry(id) {
    write(stored().map((each) => (each.id === id ? { ...each, note: "", refused: false } : each)));
    pump();
  }
  watch(lostAt, (lost) => {
    if (lost !== null) return;
    sent = null;
    pump();
  });
  write(read());
  return { waiting, put, drop, settle, retry, pump };
}
