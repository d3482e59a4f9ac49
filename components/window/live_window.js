// The window's end of the feed: takes one message per frame and hands each batch to its element.
import { onMounted, onUnmounted, watch } from "vue";
import { feedLostAt, isClosing, lostAt, onFrame } from "shared";

const address = (path) => (window.path_prefix ?? "") + path;
const leave = (reason) => location.assign(address("/sign-in?reason=" + encodeURIComponent(reason)));

export default {
  emits: ["seen", "ack"],
  setup(_, { emit }) {
    const report = () => emit("seen", { visible: !document.hidden });
    watch(lostAt, (lost) => {
      if (lost === null) report();
      else document.body.dataset.live = "disconnected";
    });
    // `ackId` goes back once this frame is taken, after all that came before: it tells how fast this window drains. Not
    // once it is painted: browsers slow animation frames and timers of windows that they deem in the background.
    function show([batches, status, ackId]) {
      for (const [id, batch] of batches) {
        try {
          getElement(id)?.apply(batch);
        } catch (error) {
          console.error("an element could not show its batch", id, error);
        }
      }
      if (status) {
        document.body.dataset.live = status;
        feedLostAt.value = status === "connected" ? null : (feedLostAt.value ?? Date.now());
      }
      if (ackId != null) emit("ack", ackId);
    }
    onMounted(() => {
      onFrame.value = show;
      document.addEventListener("visibilitychange", report);
      report();
    });
    onUnmounted(() => {
      onFrame.value = null;
      document.removeEventListener("visibilitychange", report);
    });
    return {
      leave,
      // The server goes: nothing is wrong, and this window need not be reloaded.
      announceShutdown: () => (isClosing.value = true),
      // The address follows what is shown; `page` is what the router goes back to.
      setUrl(path, isNew) {
        history[isNew ? "pushState" : "replaceState"]({ page: path }, "", address(path));
      },
      // The session's tokens are new; only an HTTP response can put them into the cookie.
      async renewCookie() {
        const response = await fetch(address("/session/renew"), { method: "POST" });
        if (response.status === 401) leave("expired");
      },
    };
  },
  template: `<span hidden></span>`,
};
