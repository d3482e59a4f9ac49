// A tree of tags, attributes and texts as one element; texts and attributes are escaped by Vue.
import { cloneVNode, h } from "vue";

export default {
  props: { tree: Array, current: String },
  emits: ["press"],
  data() {
    return { prefix: window.path_prefix ?? "", place: this.current };
  },
  watch: {
    current(place) {
      this.place = place;
    },
  },
  mounted() {
    setTimeout(() => (this.prefix = window.path_prefix ?? "")); // NiceGUI sets it once the page is mounted
  },
  methods: {
    // Marks the links to this path as the current page, without the tree being sent again.
    setCurrent(place) {
      this.place = place;
    },
    pressed(event) {
      const key = event.target.closest("[data-press]")?.dataset.press;
      if (key) this.$emit("press", key);
    },
    build(node) {
      if (typeof node === "string") return node;
      const [tag, attributes, children] = node;
      if (tag === "slot") return this.$slots[attributes.name ?? "default"]?.();
      const { href, src, ...given } = attributes;
      if (src) given.src = src.startsWith("/") ? this.prefix + src : src;
      if (href) given.href = href.startsWith("/") ? this.prefix + href : href;
      if (href && href === this.place) given["aria-current"] = "page";
      return h(tag, given, children.map(this.build));
    },
  },
  render() {
    return cloneVNode(this.build(this.tree), { onClick: this.pressed });
  },
};
