// The notes of a stream: an editor that several people type into at once, its preview, its history, and its text as a file.
import { computed, onMounted, onUnmounted, ref, shallowRef, watch } from "vue";
import { exactTime } from "formats";
import { lostAt } from "shared";
import { copyText } from "copying";
import { keep, readKept } from "kept";
import { MessageBody } from "message_body";

const RETRY_INTERVAL = 5000; // ms between two tries to get the text
const PREVIEW_INTERVAL = 1000; // ms between two previews of a text that changes
const GONE = "The stream was deleted, and its notes with it. The text stays here until you leave this page.";

export default {
  components: { MessageBody },
  props: { label: String, members: Array, storage: String, writes: Boolean, filename: String },
  emits: ["live", "sync", "since", "push", "caret", "preview", "history", "snapshot", "restore"],
  setup(props, { emit }) {
    const host = ref(null);
    const isLoaded = ref(false);
    const mode = ref("write"); // write, preview or history
    const state = ref({ isConfirmed: true, note: "" });
    const typists = ref([]);
    const refusal = ref("");
    const lost = ref([]); // texts that have no place in the notes, with the reason
    const isGone = ref(false);
    const tree = shallowRef(null);
    const snapshots = shallowRef(null);
    const shown = shallowRef(null); // a snapshot with its text
    const copied = ref("");
    let session = null;
    const frames = []; // those that came before the editor was here
    let previewTimer = null;

    const lostKey = `${props.storage}:lost`;
    const listed = readKept(lostKey);
    if (Array.isArray(listed)) lost.value = listed.filter((each) => typeof each?.text === "string");
    function setLost(texts) {
      lost.value = texts;
      keep(lostKey, texts.length ? texts : null);
    }
    const names = () => Object.fromEntries(props.members);
    watch(
      () => props.members,
      () => session?.name(names()),
    );

    async function open() {
      const { notesSession } = await import("notes_session").catch(() => ({}));
      if (!host.value || session) return;
      if (!notesSession) {
        refusal.value = "The editor could not be loaded. It is tried again with the next connection.";
        return;
      }
      refusal.value = "";
      session = notesSession({
        label: props.label,
        writes: props.writes && !isGone.value,
        storage: props.storage,
        send: (event, given) => emit(event, given),
        isOnline: () => lostAt.value === null,
        on: {
          state: (given) => (state.value = { ...state.value, ...given }),
          typists: (given) => (typists.value = given),
          lost: (texts, sentence) => {
            const text = texts.join("\n");
            if (text.trim()) setLost([...lost.value, { text, sentence }]);
          },
          refuse: (sentence) => (refusal.value = sentence),
          changed: preview,
        },
      });
      session.name(names());
      for (const frame of frames.splice(0)) show(frame);
      session.sync();
    }
    function show(frame) {
      session.apply(host.value, frame);
      isLoaded.value ||= Boolean(frame.reset);
    }
    function apply({ set }) {
      if (!set?.notes) return;
      if (session) show(set.notes);
      else frames.push(set.notes);
    }
    function preview() {
      refusal.value = "";
      if (mode.value !== "preview" || previewTimer) return;
      previewTimer = setTimeout(() => {
        previewTimer = null;
        if (mode.value === "preview" && lostAt.value === null) emit("preview");
      }, PREVIEW_INTERVAL);
    }
    function turn(to) {
      mode.value = to;
      shown.value = null;
      if (to === "preview") emit("preview");
      if (to === "history") emit("history");
    }
    function gone() {
      isGone.value = true;
      mode.value = "write";
      session?.end();
    }
    async function copy(text) {
      try {
        await copyText(text);
        copied.value = "Copied";
      } catch {
        copied.value = "This browser does not let a page copy. Select the text, and copy it yourself.";
      }
    }
    function download() {
      const link = document.createElement("a");
      link.href = URL.createObjectURL(new Blob([session.text()], { type: "text/markdown;charset=utf-8" }));
      link.download = props.filename;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 10000);
    }
    function insert(each) {
      session.append(each.text);
      setLost(lost.value.filter((other) => other !== each));
    }
    watch(lostAt, (at) => {
      if (at !== null) return;
      if (!session) return void open();
      session.sync();
      session.resume();
    });
    // The text, or the editor itself, may not have come: the question or its answer was lost, or the database was away.
    // A hidden window is sent none.
    const retries = setInterval(() => {
      if (isLoaded.value || isGone.value) clearInterval(retries);
      else if (lostAt.value === null && !document.hidden) session ? session.sync() : open();
    }, RETRY_INTERVAL);
    onMounted(() => {
      emit("live");
      open();
    });
    onUnmounted(() => {
      clearInterval(retries);
      clearTimeout(previewTimer);
      session?.close();
    });
    const told = computed(() => {
      const [first, second, ...others] = typists.value;
      if (!first) return "";
      if (!second) return `${first} is here`;
      return others.length ? "Several people are here" : `${first} and ${second} are here`;
    });
    const saved = computed(() => {
      if (isGone.value || !isLoaded.value) return "";
      if (state.value.isConfirmed) return props.writes ? "Saved" : "";
      if (lostAt.value !== null) return "Not connected. What you type is kept in this browser.";
      return state.value.note || "Saving…";
    });
    return {
      GONE,
      apply,
      copied,
      copy,
      discard: (each) => setLost(lost.value.filter((other) => other !== each)),
      download,
      exactTime,
      gone,
      host,
      insert,
      isGone,
      isLoaded,
      lost,
      mode,
      previewed: (given) => (tree.value = given),
      listed: (given) => (snapshots.value = given),
      pick: (id) => emit("snapshot", id),
      refusal,
      refuse: (sentence) => (refusal.value = sentence),
      restore: () => emit("restore", shown.value.id),
      restored(text) {
        turn("write");
        session.change(text);
      },
      saved,
      settle: (...given) => session?.settle(...given),
      showSnapshot: (given) => (shown.value = given),
      shown,
      since: (...given) => session?.since(...given),
      snapshots,
      text: () => session?.text() ?? "",
      told,
      tree,
      turn,
    };
  },
  template: `
    <div class="lw-notes" data-testid="notes">
      <p v-if="isGone" class="lw-notes__gone" role="alert">{{ GONE }}</p>
      <div class="lw-notes__bar">
        <div class="lw-notes__modes" role="group" aria-label="View of the notes">
          <button type="button" class="lw-text-button" :aria-pressed="String(mode === 'write')" @click="turn('write')">{{ writes && !isGone ? 'Write' : 'Text' }}</button>
          <button v-if="!isGone" type="button" class="lw-text-button" :aria-pressed="String(mode === 'preview')" @click="turn('preview')">Preview</button>
          <button v-if="!isGone" type="button" class="lw-text-button" :aria-pressed="String(mode === 'history')" @click="turn('history')">History</button>
        </div>
        <span class="lw-notes__state lw-muted" role="status" data-testid="notes-state">{{ saved }}</span>
        <button v-if="isLoaded && isGone" type="button" class="lw-text-button" @click="copy(text())">Copy the text</button>
        <button v-if="isLoaded" type="button" class="lw-text-button" @click="download">Download .md</button>
      </div>
      <div v-if="!isLoaded" class="lw-ghost" aria-hidden="true"><i></i><i></i><i></i></div>
      <div v-show="mode === 'write'" ref="host" class="lw-notes__editor"></div>
      <div v-if="mode === 'preview'" class="lw-notes__preview lw-chat__body" dir="auto" data-testid="notes-preview"><div v-if="tree === null" class="lw-ghost" aria-hidden="true"><i></i></div><message-body v-else :tree="tree" :runs="{}" /><p v-if="tree && !tree.length" class="lw-muted">No notes yet.</p></div>
      <div v-if="mode === 'history'" class="lw-notes__history">
        <p v-if="snapshots && !snapshots.length" class="lw-muted">No history yet. The text is kept every ten minutes while somebody writes.</p>
        <ul v-if="snapshots && snapshots.length" aria-label="Versions">
          <li v-for="each in snapshots" :key="each.id"><button type="button" class="lw-notes__version" :aria-pressed="String(shown?.id === each.id)" @click="pick(each.id)"><span>{{ exactTime(each.at) }}</span> <bdi class="lw-muted">{{ each.names }}</bdi></button></li>
        </ul>
        <div v-if="shown" class="lw-notes__shown" data-testid="notes-version">
          <pre dir="auto" tabindex="0" aria-label="Text of the version">{{ shown.text }}</pre>
          <div class="lw-notes__end"><button v-if="writes" type="button" class="lw-button lw-button--primary" @click="restore">Restore this version</button> <button type="button" class="lw-button" @click="copy(shown.text)">Copy</button></div>
        </div>
      </div>
      <p v-if="refusal" class="lw-sign-in__error" role="alert">{{ refusal }}</p>
      <div v-for="each in lost" class="lw-notes__lost" role="alert" data-testid="notes-lost">
        <p>Not saved: {{ each.sentence }} You typed:</p>
        <pre dir="auto">{{ each.text }}</pre>
        <div class="lw-notes__end"><button type="button" class="lw-button" @click="copy(each.text)">Copy</button> <button v-if="writes && isLoaded && !isGone" type="button" class="lw-button" @click="insert(each)">Insert at the end</button> <button type="button" class="lw-button" @click="discard(each)">Discard</button></div>
      </div>
      <p class="lw-notes__foot lw-muted"><span role="status" data-testid="notes-typists">{{ told }}</span><span v-if="writes && !isGone" class="lw-notes__hint">Markdown · Tab leaves the editor · Ctrl+Z undoes what you wrote</span><span role="status">{{ copied }}</span></p>
    </div>`,
};
