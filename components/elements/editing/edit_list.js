// What people changed, each of which can be undone.
import { onMounted, ref, shallowRef } from "vue";
import { exactTime } from "formats";
import { TimeAgo } from "parts";

export default {
  components: { TimeAgo },
  props: { writes: Boolean },
  emits: ["live", "undo"],
  setup(_, { emit }) {
    const edits = shallowRef(null);
    const failure = ref("");
    onMounted(() => emit("live"));
    function undo(id) {
      failure.value = "";
      emit("undo", id);
    }
    return {
      apply: ({ set }) => (edits.value = set.edits.all),
      edits,
      exactTime,
      fail: (sentence) => (failure.value = sentence),
      failure,
      undo,
    };
  },
  template: `
    <section v-if="edits?.length" class="lw-section" aria-label="Edits">
      <h2>Edits</h2>
      <div class="lw-panel lw-settings">
        <p v-if="failure" class="lw-sign-in__error" role="alert">{{ failure }}</p>
        <ul class="lw-people lw-edits">
          <li v-for="edit in edits" :key="edit.id" class="lw-person" :data-testid="'edit-' + edit.id">
            <div class="lw-person__main"><strong class="lw-clip"><bdi>{{ edit.name }}</bdi></strong> <span>{{ edit.undoes ? 'undid a change of' : 'changed' }} {{ edit.what }}:</span> <span class="lw-edits__value"><del dir="auto">{{ edit.before }}</del> → <ins dir="auto">{{ edit.after }}</ins></span></div>
            <div class="lw-person__facts lw-muted"><time-ago :at="edit.at" :title="exactTime(edit.at)" /><span v-if="edit.undone">undone</span></div>
            <div class="lw-person__end"><button v-if="writes && !edit.undone" type="button" class="lw-button" :aria-label="'Undo: ' + edit.name + ' changed ' + edit.what" @click="undo(edit.id)">Undo</button></div>
          </li>
        </ul>
      </div>
    </section>`,
};
