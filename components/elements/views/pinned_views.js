// The pinned views in the sidebar.
import { onMounted, shallowRef } from "vue";
import { number } from "formats";
import { pageLink } from "shared";

export default {
  emits: ["live"],
  setup(_props, { emit }) {
    const views = shallowRef([]);
    onMounted(() => emit("live"));
    const shown = (view) => (view.count === null ? "" : number(view.count) + (view.is_exact ? "" : "+"));
    const title = (view) => {
      if (view.count === null) return `${view.list}: ${view.name}`;
      return `${view.list}: ${view.name}, ${view.is_exact ? "" : "more than "}${number(view.count)} ${view.noun}`;
    };
    return {
      apply(batch) {
        views.value = batch.set?.views?.all ?? views.value;
      },
      pageLink,
      shown,
      title,
      views,
    };
  },
  template: `
    <div v-if="views.length" class="lw-pinned" role="group" aria-label="Saved views">
      <a v-for="view in views" :key="view.id" class="lw-place" :href="pageLink(view.href)" :title="title(view)" :data-view="view.name">
        <i class="lw-icon notranslate" aria-hidden="true">bookmark</i>
        <span class="lw-sidebar__text lw-clip" dir="auto">{{ view.name }}</span>
        <span class="lw-pinned__count lw-sidebar__text lw-number">{{ shown(view) }}</span></a>
    </div>`,
};
