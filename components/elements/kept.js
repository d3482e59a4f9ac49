// What a browser keeps of an element over reloads and closed tabs; an element works without, where there is no storage.
export function readKept(key) {
  try {
    return JSON.parse(localStorage.getItem(key) ?? "null");
  } catch {
    return null;
  }
}

// Keeps a value; null keeps nothing.
export function keep(key, value) {
  try {
    if (value === null) localStorage.removeItem(key);
    else localStorage.setItem(key, JSON.stringify(value));
  } catch {
    // The value stays in this window.
  }
}
