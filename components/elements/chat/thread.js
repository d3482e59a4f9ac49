// A thread: messages with reactions and replies, a line above what is new, and a composer whose messages show at once.
import { computed, nextTick, onMounted, onUnmounted, ref, shallowRef } from "vue";
import { exactTime } from "formats";
import { TimeAgo } from "parts";
import { Composer } from "composer";
import { HandlingBar } from "handling_bar";
import { MessageBody } from "message_body";
import { useOutbox } from "outbox";

const GAP_TIME = 1000; // ms that a missing message may be on its way
const EMOJI = ["👍", "🎉", "👀", "❤️", "😄", "😕"];
const HANDLED = { open: "released it", taken: "took it", snoozed: "snoozed it", resolved: "resolved it" };

export default {
  components: { Composer, HandlingBar, MessageBody, TimeAgo },
  props: {
    me: String,
    writes: Boolean,
    admin: Boolean,
    members: Array,
    storage: String,
    label: String,
    handles: Boolean,
  },
  emits: ["live", "post", "edit", "remove", "react", "read", "older", "typing", "handle", "latest", "gap"],
  setup(props, { emit }) {
    const messages = shallowRef(null); // by number; null until the first are known
    const more = ref(false);
    const runs = shallowRef({});
    const state = shallowRef({ handling: "open" });
    const typists = ref([]);
    const readTo = ref(null); // the position when the thread was opened
    const body = ref(null);
    const composer = ref(null);
    const replyTo = ref(null);
    const editing = ref(null);
    const open = ref(null); // the message whose actions are open
    const isDetached = ref(false); // whether newer messages exist that are not here
    const target = ref(null); // the number of the message that the address names
    const failure = ref("");
    const outbox = useOutbox(props.storage + ":outbox", (message) => emit("post", message));

    const list = computed(() => [...(messages.value?.values() ?? [])].sort((a, b) => a.n - b.n));
    const known = computed(() => new Set(list.value.map((each) => each.id)));
    const pending = computed(() => outbox.waiting.value.filter((each) => !known.value.has(each.id)));
    const byId = computed(() => new Map(list.value.map((each) => [each.id, each])));
    const firstNew = computed(() => {
      if (readTo.value === null) return null;
      return list.value.find((each) => each.n > readTo.value && each.author !== props.me)?.n ?? null;
    });
    const isAtEnd = () => !body.value || body.value.scrollHeight - body.value.scrollTop - body.value.clientHeight < 40;
    async function keepPlace(change, { toEnd = false, grows = false } = {}) {
      const follows = toEnd || isAtEnd();
      const height = body.value?.scrollHeight ?? 0;
      change();
      await nextTick();
      if (!body.value) return;
      if (sought !== null && seek()) return noteRead();
      if (grows) body.value.scrollTop += body.value.scrollHeight - height;
      else if (follows) body.value.scrollTop = body.value.scrollHeight;
      noteRead();
    }
    let gapTimer = null;
    const hasGap = () => list.value.some((each, index) => index && each.n !== list.value[index - 1].n + 1);
    function put(found) {
      const all = new Map(messages.value ?? []);
      for (const each of found) if ((all.get(each.n)?.v ?? -1) < each.v) all.set(each.n, each);
      messages.value = all;
      // Numbers have no gaps, so that one shows a loss, whatever the cause; some are only on their way.
      clearTimeout(gapTimer);
      if (hasGap()) gapTimer = setTimeout(() => hasGap() && emit("gap"), GAP_TIME);
      for (const each of outbox.waiting.value) if (known.value.has(each.id)) outbox.drop(each.id);
    }
    function apply({ set }) {
      const { all, changed, detached, more: hasMore, runs: linked, state: said } = set.thread;
      if (detached !== undefined) isDetached.value = detached;
      if (linked) runs.value = linked;
      if (said) state.value = said;
      if (all) {
        const isFirst = messages.value === null;
        // Older messages stay only where nothing is missing between them and these.
        const isJoined = all.length && messages.value?.has(all[0].n - 1);
        const kept = isJoined ? list.value.filter((each) => each.n < all[0].n) : [];
        if (!kept.length) more.value = hasMore;
        keepPlace(
          () => {
            messages.value = new Map(kept.map((each) => [each.n, each]));
            put(all);
          },
          { toEnd: isFirst },
        );
      }
      if (changed) keepPlace(() => put(changed));
    }
    const older = (found, hasMore) =>
      keepPlace(
        () => {
          put(found);
          more.value = hasMore;
        },
        { grows: true },
      );
    // A message to show, until it is here: its number may come before the messages do.
    let sought = null;
    function seek() {
      const found = body.value?.querySelector(`[data-testid="message-${sought}"]`);
      if (!found) return false;
      found.scrollIntoView({ block: "center" });
      sought = null;
      return true;
    }
    function jump(number) {
      target.value = sought = number;
      nextTick(seek);
    }
    function latest() {
      target.value = sought = null;
      messages.value = null;
      emit("latest");
    }
    function begin(position) {
      readTo.value ??= position;
    }
    let read = 0;
    function noteRead() {
      const last = list.value.at(-1)?.n ?? 0;
      if (last <= read || isDetached.value || document.hidden || !isAtEnd()) return;
      read = last;
      emit("read", last);
    }
    function scrolled() {
      if (body.value.scrollTop < 80 && more.value && list.value.length) {
        more.value = false;
        emit("older", list.value[0].n);
      }
      noteRead();
    }

    function act(name, message) {
      open.value = null;
      if (name === "reply") replyTo.value = message;
      else if (name === "edit") editing.value = message;
      else emit("remove", message.id);
    }
    function post(message) {
      failure.value = "";
      keepPlace(() => outbox.put(message), { toEnd: true });
      if (isDetached.value) latest();
    }
    function change(message) {
      failure.value = "";
      emit("edit", message);
    }
    const cancel = () => (editing.value = replyTo.value = null);
    function rewrite(message) {
      outbox.drop(message.id);
      composer.value.take(message.body);
    }
    function react(message, emoji) {
      open.value = null;
      const mine = message.reactions.find(([each]) => each === emoji)?.[1].includes(props.me) ?? false;
      emit("react", { id: message.id, emoji, on: !mine });
    }
    const onShow = () => noteRead();
    onMounted(() => {
      document.addEventListener("visibilitychange", onShow);
      emit("live");
      outbox.pump();
    });
    onUnmounted(() => {
      clearTimeout(gapTimer);
      document.removeEventListener("visibilitychange", onShow);
    });
    return {
      EMOJI,
      act,
      apply,
      begin,
      body,
      byId,
      cancel,
      change,
      composer,
      editing,
      exactTime,
      failure,
      firstNew,
      isDetached,
      jump,
      latest,
      list,
      messages,
      more,
      older,
      open,
      outbox,
      pending,
      post,
      react,
      replyTo,
      rewrite,
      runs,
      scrolled,
      state,
      target,
      fail: (sentence) => (failure.value = sentence),
      settle: outbox.settle,
      typing: (names) => (typists.value = names),
      told: computed(() => {
        const [first, second, ...others] = typists.value;
        if (!first) return "";
        if (!second) return `${first} is typing…`;
        return others.length ? "Several people are typing…" : `${first} and ${second} are typing…`;
      }),
      handledWords: (message) => {
        const [how] = message.body.split(" ", 1);
        return { how: HANDLED[how] ?? how, note: message.body.slice(how.length + 1) };
      },
      excerpt: (message) => (message.deleted ? "a message that was deleted" : message.body.slice(0, 120)),
      mayChange: (message) => props.writes && message.author === props.me,
    };
  },
  template: `
    <section class="lw-chat" :aria-label="label">
      <handling-bar v-if="handles && messages" :state="state" :me="me" :writes="writes" @handle="$emit('handle', $event)" />
      <div ref="body" class="lw-chat__messages" tabindex="0" role="log" :aria-label="'Messages: ' + label" @scroll.passive="scrolled">
        <div v-if="messages === null" class="lw-ghost" aria-hidden="true"><i></i><i></i><i></i></div>
        <p v-else-if="!list.length && !pending.length" class="lw-chat__none">No messages yet.<template v-if="writes"> Write the first one.</template></p>
        <template v-for="message in list" :key="message.id">
          <p v-if="message.n === firstNew" class="lw-chat__new" role="separator">New</p>
          <p v-if="message.kind === 'handling'" class="lw-chat__event" :data-testid="'message-' + message.n"><bdi>{{ message.name }}</bdi> {{ handledWords(message).how }}<template v-if="handledWords(message).note">: <bdi>{{ handledWords(message).note }}</bdi></template> · <time-ago :at="message.at" :title="exactTime(message.at)" /></p>
          <article v-else class="lw-chat__message" :data-testid="'message-' + message.n" :data-own="message.author === me || undefined" :aria-current="message.n === target ? 'true' : undefined">
            <header><bdi class="lw-chat__name">{{ message.name }}</bdi> <time-ago class="lw-muted" :at="message.at" :title="exactTime(message.at)" /><span v-if="message.edited && !message.deleted" class="lw-muted"> · edited</span></header>
            <p v-if="message.reply_to" class="lw-chat__quote" dir="auto"><template v-if="byId.get(message.reply_to)"><bdi>{{ byId.get(message.reply_to).name }}</bdi>: {{ excerpt(byId.get(message.reply_to)) }}</template><template v-else>Reply to an earlier message</template></p>
            <p v-if="message.deleted" class="lw-muted">Message deleted</p>
            <div v-else class="lw-chat__body" dir="auto"><message-body :tree="message.tree" :runs="runs" /></div>
            <div v-if="message.reactions.length" class="lw-chat__reactions">
              <button v-for="[emoji, people, names] in message.reactions" :key="emoji" type="button" class="lw-chat__reaction" :aria-pressed="String(people.includes(me))" :aria-label="emoji + ' ' + people.length + ': ' + names" :title="names" :disabled="!writes" @click="react(message, emoji)">{{ emoji }} {{ people.length }}</button>
            </div>
            <div v-if="writes && !message.deleted" class="lw-chat__actions">
              <button type="button" class="lw-icon-button" title="React or reply" :aria-label="'Actions for the message of ' + message.name" :aria-expanded="String(open === message.id)" @click="open = open === message.id ? null : message.id"><i class="lw-icon notranslate" aria-hidden="true">more_horiz</i></button>
              <div v-if="open === message.id" class="lw-chat__menu" @keydown.esc.stop="open = null">
                <button v-for="emoji in EMOJI" :key="emoji" type="button" class="lw-icon-button" :aria-label="'React with ' + emoji" @click="react(message, emoji)">{{ emoji }}</button>
                <button type="button" class="lw-text-button" @click="act('reply', message)">Reply</button>
                <button v-if="mayChange(message)" type="button" class="lw-text-button" @click="act('edit', message)">Edit</button>
                <button v-if="mayChange(message) || admin" type="button" class="lw-text-button" @click="act('remove', message)">Delete</button>
              </div>
            </div>
          </article>
        </template>
        <article v-for="message in pending" :key="message.id" class="lw-chat__message lw-chat__message--pending" data-own data-testid="pending">
          <div class="lw-chat__body lw-chat__plain" dir="auto">{{ message.body }}</div>
          <p class="lw-muted" role="status"><template v-if="message.refused">Not sent: {{ message.note }} <button type="button" class="lw-text-button" @click="outbox.retry(message.id)">Try again</button> <button type="button" class="lw-text-button" @click="rewrite(message)">Edit</button></template><template v-else>{{ message.note || 'Sending…' }}</template></p>
        </article>
      </div>
      <p v-if="isDetached" class="lw-chat__detached">These are older messages. <button type="button" class="lw-text-button" @click="latest">To the latest</button></p>
      <p class="lw-chat__typing lw-muted" role="status" data-testid="typing">{{ told }}</p>
      <composer v-if="writes" ref="composer" :me="me" :members="members" :storage="storage + ':draft'" :label="label" :reply-to="replyTo" :editing="editing" :failure="failure" @post="post" @edit="change" @typing="$emit('typing')" @cancel="cancel" />
      <p v-else class="lw-muted lw-chat__none">Viewers read here. An admin can make you an operator.</p>
    </section>`,
};
