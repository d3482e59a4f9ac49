// A search box for messages, and what was found.
import { onMounted, onUnmounted, ref } from "vue";
import { exactTime } from "formats";
import { TimeAgo } from "parts";
import { pageLink } from "shared";

export default {
  components: { TimeAgo },
  emits: ["search"],
  setup(_, { emit }) {
    const words = ref("");
    const found = ref(null); // null while nothing is searched for
    const root = ref(null);
    const close = (event) => root.value?.contains(event.target) || (found.value = null);
    onMounted(() => document.addEventListener("click", close));
    onUnmounted(() => document.removeEventListener("click", close));
    function typed() {
      if (words.value.trim()) emit("search", words.value);
      else found.value = null;
    }
    const show = (asked, messages) => asked === words.value.slice(0, 200) && (found.value = messages);
    return { exactTime, found, pageLink, root, show, typed, words };
  },
  template: `
    <div ref="root" class="lw-found" @keydown.esc="found = null">
      <input v-model="words" type="search" class="lw-audit__search" placeholder="Search messages" aria-label="Search messages" maxlength="200" autocomplete="off" spellcheck="false" @input="typed">
      <ul v-if="found" class="lw-found__list" aria-label="Messages found">
        <li v-if="!found.length" class="lw-muted">No message matches.</li>
        <li v-for="each in found" :key="each.id"><a :href="pageLink(each.href)">
          <span class="lw-muted"><bdi>{{ each.name }}</bdi> in <bdi>{{ each.thread }}</bdi> · <time-ago :at="each.at" :title="exactTime(each.at)" /></span>
          <span class="lw-clip" dir="auto">{{ each.text }}</span></a></li>
      </ul>
    </div>`,
};
