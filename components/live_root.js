// The window's end of the feed: takes one message per frame and hands each batch to its element.
import { onMounted, onUnmounted, watch } from "vue";
import { lostAt } from "lw_parts";

const address = (path) => (window.path_prefix ?? "") + path;
const leave = (reason) => location.assign(address("/sign-in?reason=" + encodeURIComponent(reason)));

export default {
  emits: ["seen"],
  setup(_, { emit }) {
    const report = () => emit("seen", { visible: !document.hidden });
    watch(lostAt, (lost) => {
      if (lost === null) report();
      else document.body.dataset.live = "disconnected";
    });
    onMounted(() => {
      document.addEventListener("visibilitychange", report);
      report();
    });
    onUnmounted(() => document.removeEventListener("visibilitychange", report));
    return {
      apply(batches, status) {
        for (const [id, batch] of batches) getElement(id)?.apply(batch);
        if (status) document.body.dataset.live = status;
      },
      leave,
      // The address follows what is shown; `page` is what the router goes back to.
      go(path, isNew) {
        history[isNew ? "pushState" : "replaceState"]({ page: path }, "", address(path));
      },
      // The session's tokens are new; only an HTTP response can put them into the cookie.
      async renew() {
        const response = await fetch(address("/session/renew"), { method: "POST" });
        if (response.status === 401) leave("expired");
      },
    };
  },
  template: `<span hidden></span>`,
};
