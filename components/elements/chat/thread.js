// A thread: messages with reactions and replies, a line above what is new, and a composer whose messages show at once.
import { computed, nextTick, onMounted, onUnmounted, ref, shallowRef } from "vue";
import { exactTime, TimeAgo } from "shared";
import { MessageBody } from "message_body";
import { useOutbox } from "outbox";

const EMOJI = ["👍", "🎉", "👀", "❤️", "😄", "😕"];
const MAX_BODY = 20000;
const TYPING_INTERVAL = 2000; // ms between two signals that somebody types
const HANDLED = { open: "released it", taken: "took it", snoozed: "snoozed it", resolved: "resolved it" };

export default {
  components: { MessageBody, TimeAgo },
  props: {
    me: String,
    writes: Boolean,
    admin: Boolean,
    members: Array,
    storage: String,
    label: String,
    handles: Boolean,
  },
  emits: ["live", "post", "edit", "remove", "react", "read", "older", "typing", "handle", "latest"],
  setup(props, { emit }) {
    const messages = shallowRef(null); // by number; null until the first are known
    const more = ref(false);
    const runs = shallowRef({});
    const state = shallowRef({ handling: "open" });
    const typists = ref([]);
    const readTo = ref(null); // the position when the thread was opened
    const body = ref(null);
    const field = ref(null);
    const text = ref("");
    const replyTo = ref(null);
    const editing = ref(null);
    const open = ref(null); // the message whose actions are open
    const isDetached = ref(false); // whether newer messages exist that are not here
    const target = ref(null); // the number of the message that the address names
    const asks = ref(""); // the handling that asks for a note
    const note = ref("");
    const choice = ref(0);
    const failure = ref("");
    const draftKey = props.storage + ":draft";
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
      if (grows) body.value.scrollTop += body.value.scrollHeight - height;
      else if (follows) body.value.scrollTop = body.value.scrollHeight;
      noteRead();
    }
    function put(found) {
      const all = new Map(messages.value ?? []);
      for (const each of found) if ((all.get(each.n)?.v ?? -1) < each.v) all.set(each.n, each);
      messages.value = all;
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
    function jump(number) {
      target.value = number;
      nextTick(() =>
        body.value?.querySelector(`[data-testid="message-${number}"]`)?.scrollIntoView({ block: "center" }),
      );
    }
    function latest() {
      target.value = null;
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

    // The composer.
    const word = computed(() => /(?:^|\s)@([^\s@]*)$/.exec(text.value.slice(0, caret.value))?.[1] ?? null);
    const caret = ref(0);
    const offered = computed(() => {
      if (word.value === null) return [];
      const start = word.value.toLowerCase();
      return props.members.filter(([id, name]) => id !== props.me && name.toLowerCase().includes(start)).slice(0, 6);
    });
    let typedAt = -Infinity;
    function typed() {
      caret.value = field.value.selectionStart;
      choice.value = 0;
      keepDraft();
      grow();
      if (performance.now() - typedAt < TYPING_INTERVAL || !text.value.trim() || editing.value) return;
      typedAt = performance.now();
      emit("typing");
    }
    function keepDraft() {
      if (editing.value) return;
      try {
        if (text.value) localStorage.setItem(draftKey, text.value);
        else localStorage.removeItem(draftKey);
      } catch {
        // A draft that cannot be stored stays in this window.
      }
    }
    const grow = () =>
      nextTick(() => {
        if (!field.value) return;
        field.value.style.height = "auto";
        field.value.style.height = Math.min(field.value.scrollHeight + 2, 200) + "px";
      });
    function complete([, name]) {
      const before = text.value.slice(0, caret.value).replace(/@([^\s@]*)$/, `@${name} `);
      text.value = before + text.value.slice(caret.value);
      nextTick(() => {
        field.value.focus();
        field.value.setSelectionRange(before.length, before.length);
        typed();
      });
    }
    function submit() {
      const written = text.value.trim();
      if (!written || written.length > MAX_BODY) return;
      failure.value = "";
      if (editing.value) emit("edit", { id: editing.value.id, body: written });
      else {
        const mentions = props.members.filter(([, name]) => name && written.includes("@" + name)).map(([id]) => id);
        const message = {
          id: crypto.randomUUID?.() ?? uuid(),
          body: written,
          reply_to: replyTo.value?.id ?? null,
          mentions,
        };
        keepPlace(() => outbox.put(message), { toEnd: true });
        if (isDetached.value) latest();
      }
      cancel();
    }
    function uuid() {
      // crypto.randomUUID is missing where the page is not served securely.
      const bytes = crypto.getRandomValues(new Uint8Array(16));
      bytes[6] = (bytes[6] & 15) | 64;
      bytes[8] = (bytes[8] & 63) | 128;
      const hex = [...bytes].map((each) => each.toString(16).padStart(2, "0")).join("");
      return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
    }
    function cancel() {
      editing.value = replyTo.value = null;
      text.value = "";
      keepDraft();
      grow();
    }
    function onKey(event) {
      if (offered.value.length && ["ArrowDown", "ArrowUp", "Tab", "Enter"].includes(event.key)) {
        event.preventDefault();
        const count = offered.value.length;
        if (event.key === "ArrowDown") choice.value = (choice.value + 1) % count;
        else if (event.key === "ArrowUp") choice.value = (choice.value + count - 1) % count;
        else complete(offered.value[choice.value]);
      } else if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
        event.preventDefault();
        submit();
      } else if (event.key === "Escape" && (editing.value || replyTo.value)) {
        event.stopPropagation();
        cancel();
      }
    }
    function act(name, message) {
      open.value = null;
      if (name === "reply") replyTo.value = message;
      else if (name === "edit") {
        editing.value = message;
        text.value = message.body;
      } else return emit("remove", message.id);
      grow();
      nextTick(() => field.value?.focus());
    }
    function react(message, emoji) {
      open.value = null;
      const mine = message.reactions.find(([each]) => each === emoji)?.[1].includes(props.me) ?? false;
      emit("react", { id: message.id, emoji, on: !mine });
    }
    function handle(handling, hours = null) {
      emit("handle", { handling, note: note.value, hours });
      asks.value = note.value = "";
    }
    const onShow = () => noteRead();
    onMounted(() => {
      try {
        text.value = localStorage.getItem(draftKey) ?? "";
      } catch {
        text.value = "";
      }
      grow();
      document.addEventListener("visibilitychange", onShow);
      emit("live");
      outbox.pump();
    });
    onUnmounted(() => document.removeEventListener("visibilitychange", onShow));
    return {
      EMOJI,
      HANDLED,
      MAX_BODY,
      act,
      apply,
      asks,
      begin,
      body,
      byId,
      cancel,
      choice,
      complete,
      editing,
      exactTime,
      fail: (sentence) => (failure.value = sentence),
      failure,
      field,
      firstNew,
      handle,
      isDetached,
      jump,
      latest,
      list,
      messages,
      more,
      note,
      offered,
      older,
      onKey,
      open,
      outbox,
      pending,
      react,
      replyTo,
      runs,
      scrolled,
      settle: outbox.settle,
      state,
      submit,
      target,
      text,
      typed,
      typing: (names) => (typists.value = names),
      typists,
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
      <div v-if="handles && messages" class="lw-chat__handling" data-testid="handling" :data-value="state.handling">
        <span v-if="state.handling !== 'open'"><span class="lw-badge" :data-tone="state.tone">{{ state.label }}</span> <bdi>{{ state.handler === me ? 'You' : state.handler_name }}</bdi> ·
          <time-ago :at="state.at" :title="exactTime(state.at)" /><template v-if="state.until"> · until {{ exactTime(state.until) }}</template></span>
        <span v-else class="lw-muted">Nobody takes care of this yet.</span>
        <span v-if="writes" class="lw-chat__choices">
          <button v-if="state.handling !== 'taken' || state.handler !== me" type="button" class="lw-text-button" @click="handle('taken')">Take</button>
          <button v-if="state.handling !== 'open'" type="button" class="lw-text-button" @click="handle('open')">{{ state.handling === 'resolved' ? 'Reopen' : 'Release' }}</button>
          <button v-if="state.handling !== 'snoozed'" type="button" class="lw-text-button" @click="handle('snoozed', 1)">Snooze 1 h</button>
          <button v-if="state.handling !== 'resolved'" type="button" class="lw-text-button" @click="asks = 'resolved'">Resolve</button>
        </span>
        <form v-if="asks" class="lw-chat__note" @submit.prevent="handle(asks)">
          <input v-model="note" maxlength="2000" placeholder="What was done? (optional)" aria-label="Note" v-focus>
          <button class="lw-button lw-button--primary">Resolve</button>
          <button type="button" class="lw-button" @click="asks = ''">Cancel</button>
        </form>
      </div>
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
          <p class="lw-muted" role="status"><template v-if="message.refused">Not sent: {{ message.note }} <button type="button" class="lw-text-button" @click="outbox.retry(message.id)">Try again</button> <button type="button" class="lw-text-button" @click="text = message.body; outbox.drop(message.id)">Edit</button></template><template v-else>{{ message.note || 'Sending…' }}</template></p>
        </article>
      </div>
      <p v-if="isDetached" class="lw-chat__detached">These are older messages. <button type="button" class="lw-text-button" @click="latest">To the latest</button></p>
      <p class="lw-chat__typing lw-muted" role="status" data-testid="typing">{{ told }}</p>
      <form v-if="writes" class="lw-chat__composer" @submit.prevent="submit">
        <p v-if="replyTo || editing" class="lw-chat__quote"><template v-if="editing">Edit your message</template><template v-else>Reply to <bdi>{{ replyTo.name }}</bdi>: {{ excerpt(replyTo) }}</template> <button type="button" class="lw-text-button" @click="cancel">Cancel</button></p>
        <p v-if="failure" class="lw-sign-in__error" role="alert">{{ failure }}</p>
        <ul v-if="offered.length" class="lw-chat__names" role="listbox" aria-label="People">
          <li v-for="(person, index) in offered" :key="person[0]" role="option" :aria-selected="String(index === choice)" @mousedown.prevent="complete(person)"><bdi>{{ person[1] }}</bdi></li>
        </ul>
        <textarea ref="field" v-model="text" rows="1" :maxlength="MAX_BODY" :aria-label="'Message: ' + label" placeholder="Write a message" dir="auto" @input="typed" @keydown="onKey" @click="typed"></textarea>
        <button class="lw-button lw-button--primary" :disabled="!text.trim()">{{ editing ? 'Save' : 'Send' }}</button>
      </form>
      <p v-else class="lw-muted lw-chat__none">Viewers read here. An admin can make you an operator.</p>
    </section>`,
  directives: { focus: { mounted: (element) => element.focus() } },
};
