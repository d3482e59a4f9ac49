// Service worker: the page for a browser without a connection, and what comes by web push.
// It keeps that page and the time at which the app answered last: no rows, no tokens, no page of a person.
const CACHE = "livewatch-shell";
const SHELL = "@shell@"; // digest of this release's page
const root = registration.scope.replace(/\/$/, "");
const OFFLINE = `${root}/pwa/offline`;
const REACHED = `${root}/pwa/reached`;
const ICON = `${root}/pwa/icons/icon-192.png`;
const BADGE = `${root}/pwa/icons/badge-96.png`;
const REQUEST_MS = 15000;
const URGENT = 3;

addEventListener("install", (event) => event.waitUntil(install()));
addEventListener("activate", (event) => event.waitUntil(activate()));
addEventListener("push", (event) => event.waitUntil(receive(event)));
addEventListener("notificationclick", (event) => event.waitUntil(clicked(event)));
addEventListener("pushsubscriptionchange", (event) => event.waitUntil(renew(event)));
addEventListener("fetch", (event) => {
  if (event.request.mode === "navigate" && event.request.method === "GET") event.respondWith(navigate(event));
});

async function install() {
  const page = await fetch(OFFLINE, { cache: "reload", credentials: "omit" });
  // While a release replaces another, a process of either may answer. The browser installs again with the next page.
  if (!page.ok || page.headers.get("Livewatch-Shell") !== SHELL) throw new Error("The page is of another release.");
  await (await caches.open(CACHE)).put(OFFLINE, page);
  // Pages come from the server, so that no window can be of another release than its worker.
  await skipWaiting();
}

async function activate() {
  for (const name of await caches.keys()) if (name !== CACHE) await caches.delete(name);
  await registration.navigationPreload?.enable();
  await clients.claim();
}

async function navigate(event) {
  try {
    const answer = (await event.preloadResponse) ?? (await fetch(event.request));
    event.waitUntil(caches.open(CACHE).then((cache) => cache.put(REACHED, new Response(String(Date.now())))));
    return answer;
  } catch {
    return offline();
  }
}

async function offline() {
  const cache = await caches.open(CACHE);
  const page = await cache.match(OFFLINE);
  if (!page) return Response.error();
  const reached = await cache.match(REACHED);
  const text = await page.text();
  const shown = text.replace('data-reached=""', `data-reached="${reached ? Number(await reached.text()) : ""}"`);
  return new Response(shown, { status: 503, headers: page.headers });
}

async function receive(event) {
  let message;
  try {
    message = event.data.json();
  } catch {
    message = { title: "There is something new in Livewatch" };
  }
  const tag = groupOf(message);
  await showBadge(message.badge);
  const shown = await registration.getNotifications({ tag });
  if (!message.title) for (const each of shown) each.close();
  if (!message.title || (message.is_silent && !shown.length)) return;
  const windows = await clients.matchAll({ type: "window" });
  const silent = Boolean(message.is_silent) || windows.some((each) => each.focused);
  await registration.showNotification(message.title, {
    body: message.body,
    tag,
    icon: ICON,
    badge: BADGE,
    dir: "auto",
    silent,
    renotify: !silent,
    requireInteraction: message.rank >= URGENT,
    data: { url: message.url, org: message.org, tag: message.tag },
    actions: message.org
      ? [
          { action: "read", title: message.can_acknowledge ? "Acknowledge" : "Mark as read" },
          { action: "open", title: "Open" },
        ]
      : [],
  });
}

async function clicked(event) {
  event.notification.close();
  const { url, org, tag } = event.notification.data ?? {};
  if (event.action === "read" && (await markRead(org, tag))) return;
  await open(url);
}

// Whether it was done; who has signed out, or has no connection, sees the app instead.
async function markRead(org, tag) {
  try {
    const answer = await post("/push/read", { org, tag });
    if (!answer.ok) return false;
    await showBadge((await answer.json()).badge);
    return true;
  } catch {
    return false;
  }
}

async function open(given) {
  const url = addressOf(given);
  if (!url.startsWith(`${root}/`)) return clients.openWindow(url);
  const windows = await clients.matchAll({ type: "window", includeUncontrolled: true });
  const ours = windows.find((each) => each.focused) ?? windows[0];
  if (!ours) return clients.openWindow(url);
  try {
    await ours.focus();
    return await ours.navigate(url);
  } catch {
    return clients.openWindow(url);
  }
}

// A path of the app, or another site's page; anything else leads to the app.
function addressOf(given) {
  if (typeof given !== "string") return `${root}/`;
  if (given.startsWith("/") && !/^\/[/\\]/.test(given)) return root + given;
  return /^https?:\/\//.test(given) ? given : `${root}/`;
}

// The browser has a new address: the app learns it under the person's own session.
async function renew(event) {
  const options = event.oldSubscription?.options ?? event.newSubscription?.options;
  const renewed =
    event.newSubscription ??
    (options && (await registration.pushManager.subscribe({ userVisibleOnly: true, ...keyOf(options) })));
  if (renewed) await post("/push/devices", { ...renewed.toJSON(), replaces: event.oldSubscription?.endpoint ?? "" });
}

const keyOf = ({ applicationServerKey }) => ({ applicationServerKey });

function post(path, body) {
  return fetch(root + path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
    redirect: "error",
    signal: AbortSignal.timeout(REQUEST_MS),
  });
}

const groupOf = ({ org, tag }) => `${org ?? ""} ${tag ?? ""}`;

async function showBadge(count) {
  if (!navigator.setAppBadge || !Number.isInteger(count)) return;
  await (count ? navigator.setAppBadge(count) : navigator.clearAppBadge()).catch(() => {});
}
