// The browser's tab: unread count in the title, as the bell has it, or a dot if only messages of the chat are unread; and
// a dot on the icon for either.
const SIZE = 64;
const link = () => document.querySelector('link[rel~="icon"]');
let plain = null; // the original icon
let dotted = null;

export function titleOf(place, count, messages = 0) {
  const unread = count ? `(${count.toLocaleString("en-GB")}) ` : messages ? "• " : "";
  return unread + (place ? place + " · " : "") + "Livewatch";
}

export function showInTab(place, count, messages = 0) {
  document.title = titleOf(place, count, messages);
  const icon = link();
  if (!icon) return;
  plain ??= icon.href;
  icon.dataset.unread = count + messages;
  if (!count && !messages) icon.href = plain;
  else if (dotted) icon.href = dotted;
  else draw().then((drawn) => (dotted = drawn) && Number(icon.dataset.unread) && (icon.href = drawn));
}

async function draw() {
  const image = new Image();
  image.crossOrigin = "anonymous";
  // Not `decode`, which waits for a frame. An icon that fails to load gets a dot, too.
  const read = new Promise((done) => (image.onload = image.onerror = done));
  image.src = plain;
  await read;
  const canvas = Object.assign(document.createElement("canvas"), { width: SIZE, height: SIZE });
  const pen = canvas.getContext("2d");
  if (image.naturalWidth) pen.drawImage(image, 0, 0, SIZE, SIZE);
  for (const [radius, colour] of [
    [20, "#fff"],
    [15, "#d63b31"],
  ]) {
    pen.beginPath();
    pen.arc(SIZE - 20, 20, radius, 0, 2 * Math.PI);
    pen.fillStyle = colour;
    pen.fill();
  }
  return canvas.toDataURL();
}
