// Registers the service worker, keeps the icon's number and the device's notifications in step with what was read, and
// tells the app again of a device that had it on when its person signs in anew.
(() => {
  const { root, user, session } = document.currentScript.dataset;
  const PAUSE = 1000; // ms between two readings of the number
  const DEVICE = "lw-push"; // the person and session that turned it on here
  let waiting = 0;

  addEventListener("beforeinstallprompt", (event) => {
    event.preventDefault();
    window.lwInstall = event;
    document.dispatchEvent(new CustomEvent("lw-install"));
  });
  addEventListener("appinstalled", () => {
    window.lwInstall = null;
    document.dispatchEvent(new CustomEvent("lw-install"));
  });
  if (!navigator.serviceWorker || recall("lw-worker") === "off") return;
  addEventListener("load", () => begin().catch(() => {}));

  async function begin() {
    const options = { scope: `${root}/`, updateViaCache: "none" };
    const registration = await navigator.serviceWorker.register(`${root}/pwa/worker.js`, options);
    if (!user) return leave(registration);
    document.addEventListener("lw-unread", () => {
      if (!waiting) waiting = setTimeout(() => keepInStep(registration).catch(() => {}), PAUSE);
    });
    await keepInStep(registration);
    await tellAgain(registration);
  }

  async function keepInStep(registration) {
    waiting = 0;
    const isInstalled = matchMedia("(display-mode: standalone)").matches || navigator.standalone;
    if (!isInstalled && window.Notification?.permission !== "granted") return;
    // What is shown from now on may be newer than the answer.
    const shown = await registration.getNotifications();
    const answer = await fetch(`${root}/push/unread`, { redirect: "error" });
    if (!answer.ok) return;
    const { badge, groups } = await answer.json();
    await showBadge(badge);
    for (const each of shown) if (each.data?.org && !groups.includes(each.tag)) each.close();
  }

  // Nothing of a person stays on the device of who has signed out.
  async function leave(registration) {
    await showBadge(0);
    for (const each of await registration.getNotifications()) each.close();
  }

  async function tellAgain(registration) {
    const known = JSON.parse(recall(DEVICE) ?? "{}");
    if (known.user !== user || known.session === session) return;
    const subscription = await registration.pushManager?.getSubscription();
    if (!subscription || window.Notification?.permission !== "granted") return;
    const answer = await fetch(`${root}/push/devices`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(subscription.toJSON()),
      redirect: "error",
    });
    if (answer.ok) localStorage[DEVICE] = JSON.stringify({ user, session });
  }

  async function showBadge(count) {
    await (count ? navigator.setAppBadge?.(count) : navigator.clearAppBadge?.());
  }

  function recall(name) {
    try {
      return localStorage[name];
    } catch {
      return undefined;
    }
  }
})();
