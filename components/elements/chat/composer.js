// Where a message is written: completes names after an @, keeps a draft in the browser, and edits a sent message.
import { computed, nextTick, onMounted, ref, watch } from "vue";
import { keep, randomId, readKept } from "kept";
import { withShared } from "share";

const MAX_BODY = 20000;
const TYPING_INTERVAL = 2000; // ms between two signals that somebody types
const MAX_HEIGHT = 200; // px
const MAX_OFFERED = 6;

export const Composer = {
  props: {
    me: String,
    members: Array,
    storage: String,
    label: String,
    replyTo: Object,
    editing: Object,
    failure: String,
  },
  emits: ["post", "edit", "typing", "cancel"],
  setup(props, { emit }) {
    const field = ref(null);
    const text = ref("");
    const caret = ref(0);
    const choice = ref(0);
    const word = computed(() => /(?:^|\s)@([^\s@]*)$/.exec(text.value.slice(0, caret.value))?.[1] ?? null);
    const offered = computed(() => {
      if (word.value === null) return [];
      const start = word.value.toLowerCase();
      const others = props.members.filter(([id, name]) => id !== props.me && name.toLowerCase().includes(start));
      return others.slice(0, MAX_OFFERED);
    });
    const grow = () =>
      nextTick(() => {
        if (!field.value) return;
        field.value.style.height = "auto";
        field.value.style.height = Math.min(field.value.scrollHeight + 2, MAX_HEIGHT) + "px";
      });
    const draft = {
      read: () => String(readKept(props.storage) ?? ""),
      write: (written) => keep(props.storage, written || null),
    };
    let typedAt = -Infinity;
    function typed() {
      caret.value = field.value.selectionStart;
      choice.value = 0;
      grow();
      if (props.editing) return;
      draft.write(text.value);
      if (performance.now() - typedAt < TYPING_INTERVAL || !text.value.trim()) return;
      typedAt = performance.now();
      emit("typing");
    }
    // Take a text in place of what is there, and the focus.
    function take(written) {
      text.value = written;
      grow();
      nextTick(() => field.value?.focus());
    }
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
      if (props.editing) emit("edit", { id: props.editing.id, body: written });
      else {
        const mentions = props.members.filter(([, name]) => name && written.includes("@" + name)).map(([id]) => id);
        emit("post", { id: randomId(), body: written, reply_to: props.replyTo?.id ?? null, mentions });
        draft.write("");
      }
      typedAt = -Infinity;
      text.value = draft.read();
      emit("cancel");
      grow();
    }
    function onKey(event) {
      const count = offered.value.length;
      if (count && ["ArrowDown", "ArrowUp", "Tab", "Enter"].includes(event.key)) {
        event.preventDefault();
        if (event.key === "ArrowDown") choice.value = (choice.value + 1) % count;
        else if (event.key === "ArrowUp") choice.value = (choice.value + count - 1) % count;
        else complete(offered.value[choice.value]);
      } else if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
        event.preventDefault();
        submit();
      } else if (event.key === "Escape" && (props.editing || props.replyTo)) {
        event.stopPropagation();
        emit("cancel");
      }
    }
    watch(
      () => props.editing,
      (message) => take(message ? message.body : draft.read()),
    );
    watch(
      () => props.replyTo,
      (message) => message && nextTick(() => field.value?.focus()),
    );
    onMounted(() => {
      const kept = draft.read();
      text.value = withShared(kept);
      if (text.value !== kept) draft.write(text.value);
      grow();
    });
    return { choice, complete, field, MAX_BODY, offered, onKey, submit, take, text, typed };
  },
  template: `
    <form class="lw-chat__composer" @submit.prevent="submit">
      <p v-if="replyTo || editing" class="lw-chat__quote"><template v-if="editing">Edit your message</template><template v-else>Reply to <bdi>{{ replyTo.name }}</bdi></template> <button type="button" class="lw-text-button" @click="$emit('cancel')">Cancel</button></p>
      <p v-if="failure" class="lw-sign-in__error" role="alert">{{ failure }}</p>
      <ul v-if="offered.length" class="lw-chat__names" role="listbox" aria-label="People">
        <li v-for="(person, index) in offered" :key="person[0]" role="option" :aria-selected="String(index === choice)" @mousedown.prevent="complete(person)"><bdi>{{ person[1] }}</bdi></li>
      </ul>
      <textarea ref="field" v-model="text" rows="1" :maxlength="MAX_BODY" :aria-label="'Message: ' + label" placeholder="Write a message" dir="auto" @input="typed" @keydown="onKey" @click="typed"></textarea>
      <button class="lw-button lw-button--primary" :disabled="!text.trim()">{{ editing ? 'Save' : 'Send' }}</button>
    </form>`,
};
