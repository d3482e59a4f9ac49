// The browser's end of a window: receives one message per frame and passes each batch to its element.
import { onMounted, onUnmounted, watch } from "vue";
import { feedLostAt, isClosing, lateAt, lostAt, noteFrame, onFrame, serverNow, setServerTime } from "shared";

const address = (path) => (window.path_prefix ?? "") + path;
// To the sign-in page, and from there back to where the window was, unless the person wanted to leave.
function leave(reason) {
  const here = location.pathname.slice((window.path_prefix ?? "").length) + location.search;
  const query = new URLSearchParams(reason === "signed-out" ? { reason } : { reason, next: here });
  location.assign(address("/sign-in?" + query));
}
// A page is read for the clock of its reader before a window says so.
function tellZone() {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone ?? "UTC";
  document.cookie = `livewatch_zone=${encodeURIComponent(zone)};path=${address("/")};max-age=31536000;samesite=lax`;
}
let isCookieDue = false;

// Whether nobody uses the window: it is hidden, or without input for minutes. A page that is reloaded is hidden first, and
// gone before that counts.
const IDLE_TIME = 5 * 60 * 1000;
const HIDDEN_TIME = 1000;
const CHECK_TIME = 1000;
const INPUTS = ["keydown", "pointerdown", "pointermove", "touchstart", "wheel"];
let inputAt = performance.now();
let hiddenAt = document.hidden ? -Infinity : Infinity;
const isIdle = () => performance.now() > Math.min(inputAt + IDLE_TIME, hiddenAt + HIDDEN_TIME);

function noteVisibility() {
  const at = performance.now();
  hiddenAt = document.hidden ? Math.min(hiddenAt, at) : Infinity;
  if (!document.hidden) inputAt = at; // who brings a window to the front uses it
}

function watchInput(onChange) {
  let before = isIdle();
  const check = () => {
    if (isIdle() !== before) onChange((before = !before));
  };
  const note = () => {
    inputAt = performance.now();
    if (before) check();
  };
  for (const each of INPUTS) addEventListener(each, note, { capture: true, passive: true });
  const timer = setInterval(check, CHECK_TIME);
  return () => {
    clearInterval(timer);
    for (const each of INPUTS) removeEventListener(each, note, { capture: true });
  };
}

// The page's HTML shows what is mounted now, and brings the first frame. Its values may be as old as the page took to
// load; the socket's frames say so, or bring newer ones.
function endFirstPaint(show) {
  document.getElementById("lw-first")?.remove();
  const carrier = document.getElementById("lw-first-frame");
  carrier?.remove();
  if (carrier) queueMicrotask(() => show(JSON.parse(carrier.textContent))); // NiceGUI's app is mounted by then
}

// Only an HTTP response can set the cookie. Without an answer it is fetched once the window has its server again.
async function renewCookie() {
  isCookieDue = true;
  const response = await fetch(address("/session/renew"), { method: "POST" }).catch(() => null);
  if (response) isCookieDue = false;
  if (response?.status === 401) leave("expired");
}

export default {
  emits: ["seen", "ack", "idle"],
  setup(_, { emit }) {
    const report = () => emit("seen", { visible: !document.hidden, idle: isIdle() });
    const switched = () => {
      noteVisibility();
      report();
    };
    let unwatchInput = () => {};
    watch(lostAt, (lost) => {
      if (lost === null) report(), isCookieDue && renewCookie();
      else document.body.dataset.live = "disconnected";
    });
    let live = null; // the last status from the server
    watch(lateAt, (late) => {
      if (live && lostAt.value === null) document.body.dataset.live = late === null ? live : "late";
    });
    // Send `ackId` back once this frame and all earlier ones are applied, which measures how fast the window keeps up.
    // Not once painted: browsers throttle animation frames and timers of background windows.
    function show([batches, status, ackId, serverTime, delay]) {
      setServerTime(serverTime);
      if (delay != null) noteFrame(serverTime, delay);
      for (const [id, batch] of batches) {
        try {
          getElement(id)?.apply(batch);
        } catch (error) {
          console.error("an element could not show its batch", id, error);
        }
      }
      if (status) {
        live = status;
        document.body.dataset.live = lateAt.value === null ? status : "late";
        feedLostAt.value = status === "connected" ? null : (feedLostAt.value ?? serverNow());
      }
      if (ackId != null) emit("ack", ackId);
    }
    onMounted(() => {
      onFrame.value = show;
      endFirstPaint(show);
      tellZone();
      document.addEventListener("visibilitychange", switched);
      unwatchInput = watchInput((idle) => emit("idle", idle));
      report();
    });
    onUnmounted(() => {
      onFrame.value = null;
      unwatchInput();
      document.removeEventListener("visibilitychange", switched);
      delete document.body.dataset.live;
    });
    return {
      leave,
      // The server shuts down; this window need not be reloaded.
      announceShutdown: () => (isClosing.value = true),
      // Update the URL to the view; the router navigates back to `page`.
      setUrl(path, isNew) {
        history[isNew ? "pushState" : "replaceState"]({ page: path }, "", address(path));
      },
      // The session's tokens were renewed.
      renewCookie,
    };
  },
  template: `<span hidden></span>`,
};
