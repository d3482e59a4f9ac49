// Takes over NiceGUI's reloads: a window reloads only when the server has just answered, and waits as long as it takes.
// NiceGUI reloads after a connection that timed out, into the browser's error page if the network is still away, and no
// script runs there. Loaded on every page after NiceGUI's client and before its app.
(() => {
  const PAUSES = [500, 1000, 2000, 4000]; // ms between probes; the last one for as long as it takes
  const TIMEOUTS = [5000, 10000, 20000]; // ms until a probe counts as unanswered; a slow network needs more
  const RECONNECT_DELAY = 300; // ms, give or take half, before the first attempt; Socket.IO doubles it up to 5 s
  const NAVIGATION_TIMEOUT = 40000; // ms until a reload that shows nothing is given up; more than the server takes
  const at = (list, index) => list[Math.min(index, list.length - 1)];

  let wake = () => {};
  const pause = (ms) =>
    new Promise((done) => {
      wake = done;
      setTimeout(done, ms * (0.75 + Math.random() / 2));
    });
  window.addEventListener("online", () => wake());
  document.addEventListener("visibilitychange", () => document.hidden || wake());

  // Whether the app itself answers: a portal or a proxy may answer in its place.
  async function isReachable(attempt) {
    const signal = AbortSignal.timeout(at(TIMEOUTS, attempt));
    try {
      const response = await fetch(`${window.path_prefix ?? ""}/healthz`, { cache: "no-store", signal });
      return response.ok && (await response.json()).status === "ok";
    } catch {
      return false;
    }
  }

  let isReloading = false;
  async function reloadWhenReachable() {
    if (isReloading) return;
    isReloading = true;
    for (let attempt = 0; !(await isReachable(attempt)); attempt++) await pause(at(PAUSES, attempt));
    location.reload();
    setTimeout(() => {
      window.stop();
      isReloading = false;
      reloadWhenReachable();
    }, NAVIGATION_TIMEOUT);
  }

  function guard(socket, transports) {
    let triedAt = performance.now();
    let isProbing = false;
    let mayFallBack = transports[0] === "websocket" && transports.includes("polling");

    // Open a new connection now, in place of the present one or of an attempt that waits for an answer.
    function reopen() {
      triedAt = performance.now();
      socket.disconnect().connect();
    }
    // An attempt that began while the network was silent waits for a timeout: replace it once the server answers.
    async function probe() {
      if (isProbing) return;
      isProbing = true;
      for (let attempt = 0; !socket.connected && socket.active; attempt++) {
        await pause(at(PAUSES, attempt));
        const began = performance.now();
        const isAnswered = await isReachable(attempt);
        const now = performance.now();
        const isLate = now - triedAt > 1000 + 4 * (now - began);
        if (isAnswered && isLate && !socket.connected && socket.active) reopen();
      }
      isProbing = false;
    }
    // What is behind a page that was frozen or kept by the browser may have gone meanwhile without a word.
    function revive() {
      if (socket.connected) reopen();
    }
    document.addEventListener("resume", revive);
    window.addEventListener("pageshow", (event) => event.persisted && revive());
    socket.io.on("reconnect_attempt", () => (triedAt = performance.now()));
    socket.on("disconnect", probe);
    socket.off("try_reconnect").on("try_reconnect", reloadWhenReachable);
    socket.off("connect_error").on("connect_error", (error) => {
      if (!socket.active) return void reloadWhenReachable(); // the server knows no such window, or another session has it
      if (error.message === "timeout" && mayFallBack) {
        mayFallBack = false; // a proxy may block WebSockets
        socket.io.opts.transports = ["polling", "websocket"];
      }
      probe();
    });
  }

  const open = window.io;
  window.io = (url, { query, ...options }) => {
    // By the handshake's message instead of the URL, which proxies write into their logs.
    const socket = open(url, { reconnectionDelay: RECONNECT_DELAY, ...options, auth: query });
    const emit = socket.emit.bind(socket);
    // NiceGUI has each early event wait for the handshake by a timer of its own, so that a click may overtake what was
    // typed before it. Here all wait in their order.
    let early = [];
    Object.defineProperty(window, "did_handshake", {
      configurable: true,
      get: () => true,
      set: (isDone) => {
        if (!isDone || !early) return;
        const waiting = early;
        early = null;
        for (const message of waiting) emit(...message);
      },
    });
    socket.emit = (event, ...args) => {
      if (event === "handshake") {
        return emit(event, args[0], (isAccepted) => (isAccepted ? args[1](true) : reloadWhenReachable()));
      }
      if (!early) return emit(event, ...args);
      early.push([event, ...args]);
      return socket;
    };
    queueMicrotask(() => guard(socket, options.transports)); // once NiceGUI has added its handlers
    return socket;
  };
  window.reloadWhenReachable = reloadWhenReachable;
})();
