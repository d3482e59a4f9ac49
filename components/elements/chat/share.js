// What another app shares into the installed one: a text or a link, which becomes the draft of a message.
const NAMES = ["share_title", "share_text", "share_url"];
const MAX = 4000;

// The draft with what the address brings, which is taken out of the address: a reload adds nothing.
export function withShared(draft) {
  const here = new URL(location.href);
  const shared = NAMES.map((name) => here.searchParams.get(name)?.trim()).filter(Boolean);
  if (!shared.length) return draft;
  for (const name of NAMES) here.searchParams.delete(name);
  history.replaceState(history.state, "", here);
  const text = [...new Set(shared)].join("\n").slice(0, MAX);
  return draft ? `${draft}\n${text}` : text;
}
