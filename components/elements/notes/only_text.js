// Lets only text into an editor that a database stores: no NUL, no halves of characters, and no more than there is room for.
import { EditorState, Transaction } from "nicegui-codemirror";

const BAD = /\0|\p{Surrogate}/u;
const isLow = (doc, at) => at > 0 && at < doc.length && (doc.sliceString(at, at + 1).charCodeAt(0) & 0xfc00) === 0xdc00;

// `refuse` is called with a sentence where an input is too long, and is not taken.
export function onlyText(maxLength, refuse) {
  return EditorState.transactionFilter.of((transaction) => {
    if (!transaction.docChanged || transaction.annotation(Transaction.remote)) return transaction;
    const { startState, changes } = transaction;
    if (changes.newLength > maxLength && changes.newLength > changes.length) {
      refuse(`Notes have at most ${maxLength.toLocaleString()} characters. This was not inserted.`);
      return [];
    }
    let isGood = true;
    const cleaned = [];
    changes.iterChanges((fromA, toA, _fromB, _toB, inserted) => {
      const { doc } = startState;
      let [from, to, insert] = [fromA, toA, inserted.toString()];
      // Whole characters are replaced where halves would be: a changed half makes another character.
      if (isLow(doc, from)) insert = doc.sliceString(--from, fromA) + insert;
      if (isLow(doc, to)) insert += doc.sliceString(toA, ++to);
      isGood &&= from === fromA && to === toA && !BAD.test(insert);
      cleaned.push({ from, to, insert: insert.replaceAll("\0", "").toWellFormed?.() ?? insert });
    });
    return isGood ? transaction : [{ changes: cleaned, scrollIntoView: true, userEvent: "input" }];
  });
}
