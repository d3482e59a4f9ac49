// Shows texts to copy, in tabs if there are several.
import { computed, nextTick, ref } from "vue";
import { copyText } from "copying";

const COPIED_FOR = 2000;

export default {
  props: { snippets: Array, label: String },
  setup(props) {
    const chosen = ref(props.snippets[0].key);
    const said = ref("");
    const tabs = ref([]);
    const shown = computed(() => props.snippets.find((each) => each.key === chosen.value) ?? props.snippets[0]);
    let timer;
    async function copyShown() {
      clearTimeout(timer);
      try {
        await copyText(shown.value.text);
        said.value = "Copied";
      } catch {
        said.value = "Select and copy it";
      }
      timer = setTimeout(() => (said.value = ""), COPIED_FOR);
    }
    function move(event, index) {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      event.preventDefault();
      const next = (index + step + props.snippets.length) % props.snippets.length;
      chosen.value = props.snippets[next].key;
      nextTick(() => tabs.value[next]?.focus());
    }
    return { chosen, copyShown, move, said, shown, tabs };
  },
  template: `
    <div class="lw-snippets">
      <div v-if="snippets.length > 1" class="lw-tabs" role="tablist" :aria-label="label">
        <button v-for="(each, index) in snippets" :key="each.key" ref="tabs" type="button" role="tab" class="lw-tab lw-tab--button"
                :aria-selected="String(each === shown)" :tabindex="each === shown ? 0 : -1" :data-testid="'tab-' + each.key"
                @click="chosen = each.key" @keydown="move($event, index)">{{ each.label }}</button>
      </div>
      <p v-if="shown.about" class="lw-snippets__about">{{ shown.about }}</p>
      <div class="lw-snippets__code" :role="snippets.length > 1 ? 'tabpanel' : undefined" :aria-label="shown.label">
        <pre tabindex="0" :aria-label="shown.label"><code :data-testid="'code-' + shown.key">{{ shown.text }}</code></pre>
        <button type="button" class="lw-button" :aria-label="'Copy: ' + shown.label" @click="copyShown">
          <i class="lw-icon notranslate" aria-hidden="true">content_copy</i><span aria-live="polite">{{ said || "Copy" }}</span>
        </button>
      </div>
    </div>`,
};
