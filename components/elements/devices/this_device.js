// This browser as a device: what it can do, and turning web push and the service worker on and off.
const DEVICE = "lw-push"; // the person and session that turned it on here; read by register.js
const WORKER = "lw-worker";
const READY_MS = 10000;

export class Refusal extends Error {}

// One of "on", "off", "blocked", "removed", "install" (an iPhone outside of the home screen) and "unable".
export async function stateOf() {
  const isApple = /iPhone|iPad/.test(navigator.userAgent);
  if (isApple && !navigator.standalone) return "install";
  if (!window.isSecureContext || !navigator.serviceWorker || !window.PushManager || !window.Notification)
    return "unable";
  if (localStorage[WORKER] === "off") return "removed";
  if (Notification.permission === "denied") return "blocked";
  const registration = await navigator.serviceWorker.getRegistration();
  const subscription = await registration?.pushManager.getSubscription();
  return subscription && localStorage[DEVICE] && Notification.permission === "granted" ? "on" : "off";
}

// Call in the handler of a click: browsers ask for nothing else.
export async function turnOn({ root, appKey, user }) {
  if ((await Notification.requestPermission()) !== "granted")
    throw new Refusal("Notifications are not allowed. Allow them for this site in the browser's settings.");
  delete localStorage[WORKER];
  const options = { scope: `${root}/`, updateViaCache: "none" };
  await navigator.serviceWorker.register(`${root}/pwa/worker.js`, options);
  const late = new Promise((_, fail) =>
    setTimeout(() => fail(new Refusal("The service worker did not start. Reload the page.")), READY_MS),
  );
  const registration = await Promise.race([navigator.serviceWorker.ready, late]);
  const subscription = await subscribed(registration, appKey);
  await post(`${root}/push/devices`, subscription.toJSON());
  const session = document.querySelector("script[data-root][data-session]")?.dataset.session;
  localStorage[DEVICE] = JSON.stringify({ user, session });
}

export async function turnOff({ root }) {
  delete localStorage[DEVICE];
  const registration = await navigator.serviceWorker.getRegistration();
  const subscription = await registration?.pushManager.getSubscription();
  if (!subscription) return;
  await post(`${root}/push/devices/remove`, { endpoint: subscription.endpoint });
  await subscription.unsubscribe();
}

// Ends the worker with all that it keeps. Pages register none until web push is turned on here again.
export async function removeWorker({ root }) {
  await turnOff({ root });
  localStorage[WORKER] = "off";
  for (const each of await navigator.serviceWorker.getRegistrations())
    if (each.scope === new URL(`${root}/`, location.href).href) await each.unregister();
  for (const name of await caches.keys()) if (name.startsWith("livewatch-")) await caches.delete(name);
  await navigator.clearAppBadge?.();
}

// A subscription for another key of the app is of no use any more.
async function subscribed({ pushManager }, appKey) {
  const known = await pushManager.getSubscription();
  if (known && encoded(known.options.applicationServerKey) === appKey) return known;
  await known?.unsubscribe();
  try {
    return await pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: appKey });
  } catch (error) {
    throw new Refusal(`The browser's push service refuses: ${error.message}`);
  }
}

const encoded = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer ?? [])))
    .replace(/\+/g, "-")
    .replace(/\//g, "_")
    .replace(/=+$/, "");

async function post(url, body) {
  const answer = await fetch(url, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
    redirect: "error",
  });
  if (!answer.ok)
    throw new Refusal((await answer.json().catch(() => ({}))).error ?? `The app answered ${answer.status}.`);
}
