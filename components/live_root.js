// The window's end of the feed: takes one message per frame and hands each batch to its element.
export default {
  template: '<span style="display: none"></span>',
  emits: ["seen"],
  mounted() {
    this.report = () => this.$emit("seen", { visible: !document.hidden });
    document.addEventListener("visibilitychange", this.report);
    window.socket?.on("connect", this.report);
    this.report();
  },
  unmounted() {
    document.removeEventListener("visibilitychange", this.report);
    window.socket?.off("connect", this.report);
  },
  methods: {
    apply(batches, status) {
      for (const [id, batch] of batches) getElement(id)?.apply(batch);
      if (status) document.body.dataset.live = status;
    },
    // The session's tokens are new; only an HTTP response can put them into the cookie.
    async renew() {
      const response = await fetch((window.path_prefix || "") + "/session/renew", { method: "POST" });
      if (response.status === 401) this.leave("expired");
    },
    leave(reason) {
      location.assign((window.path_prefix || "") + "/sign-in?reason=" + encodeURIComponent(reason));
    },
  },
};
