// Details of one row, beside its list.
import { computed, nextTick, onMounted, onUnmounted, ref, shallowRef } from "vue";
import { missingText, number, statusStyleOf, percent, duration, exactTime } from "formats";
import { Elapsed, fieldAttributes, LiveDot, Pace, ProgressBar, StatusBadge, TimeAgo } from "parts";
import { pageLink } from "shared";
import { RunBars } from "run_bars";

export default {
  components: { Elapsed, LiveDot, Pace, ProgressBar, RunBars, StatusBadge, TimeAgo },
  props: {
    table: String,
    statusStyles: Object,
    noun: String,
    goneText: String,
    isInline: Boolean, // part of a page, which has a heading of its own
  },
  emits: ["live", "close"],
  setup(props, { emit }) {
    const row = shallowRef(null);
    const isGone = ref(false);
    const missing = ref("");
    const head = ref(null);
    const before = document.activeElement;
    const isTyping = (target) => target.closest?.("input, textarea, select, [contenteditable]");
    const onKey = (event) => {
      if (event.key === "Escape" && !event.defaultPrevented && !isTyping(event.target)) emit("close");
    };
    onMounted(() => {
      emit("live");
      if (props.isInline) return;
      document.addEventListener("keydown", onKey);
      nextTick(() => head.value?.focus({ preventScroll: true }));
    });
    onUnmounted(() => {
      document.removeEventListener("keydown", onKey);
      if (!props.isInline && before?.isConnected) before.focus({ preventScroll: true });
    });
    return {
      duration,
      exactTime,
      head,
      isGone,
      gone: computed(() => {
        const text = missingText(missing.value, props.noun + "s");
        if (!text) return { title: "There is no such " + props.noun, text: props.goneText };
        return { title: `This ${props.noun} is not shown here`, text };
      }),
      number,
      pageLink,
      percent,
      row,
      at: (key) => fieldAttributes(props.table + "-details", "row", key),
      statusStyle: computed(() => statusStyleOf(props.statusStyles, row.value?.status)),
      stateOf(index) {
        if (row.value.status === "completed") return "done";
        if (row.value.step == null || index > row.value.step) return "open";
        return index < row.value.step ? "done" : "current";
      },
      apply({ reset }) {
        row.value = reset.rows.row ?? null;
        isGone.value = !row.value;
        missing.value = reset.missing ?? "";
      },
    };
  },
  template: `
    <div class="lw-details" :aria-label="'Details of the ' + noun">
      <div v-if="!isInline" class="lw-details__head" ref="head" tabindex="-1">
        <template v-if="row">
          <live-dot :status-style="statusStyle" /><h2 class="lw-details__title" v-bind="at('title')">{{ row.title }}</h2>
          <status-badge :status-style="statusStyle" :value="row.status" v-bind="at('status')" />
        </template>
        <h2 v-else class="lw-details__title">{{ isGone ? gone.title : '' }}<span v-if="!isGone" class="lw-ghost__line" aria-hidden="true"></span></h2>
        <button type="button" class="lw-icon-button" title="Close" aria-label="Close the details" @click="$emit('close')"><i class="lw-icon notranslate" aria-hidden="true">close</i></button>
      </div>
      <p v-if="isGone" class="lw-muted">{{ gone.text }}</p>
      <template v-if="row">
        <pace v-if="row.percentage == null && row.incidents?.length" :row="row" :table="table + '-details'" id="row" />
        <div v-if="row.percentage != null" class="lw-details__progress">
          <div class="lw-details__figures lw-number"><b>{{ percent(row.percentage) }}</b><pace :row="row" :table="table + '-details'" id="row" unit="%" /></div>
          <progress-bar :value="row.percentage" :label="'Progress of ' + row.title" :tone="statusStyle.tone" />
        </div>
        <run-bars v-if="row.bars?.length" :bars="row.bars" :count="row.bar_count" :is-live="statusStyle.pulse" :status-styles="statusStyles" />
        <ol v-if="row.steps?.length" class="lw-details__steps">
          <li v-for="(step, index) in row.steps" :key="index" :data-state="stateOf(index)" :aria-current="stateOf(index) === 'current' ? 'step' : undefined">
            <i v-if="stateOf(index) === 'done'" class="lw-icon notranslate" aria-hidden="true">check</i>
            <live-dot v-else-if="stateOf(index) === 'current'" :status-style="statusStyle" /><span v-else class="lw-steps__open" aria-hidden="true"></span>{{ step }}</li>
        </ol>
        <dl class="lw-details__facts">
          <template v-for="field in row.fields" :key="field.key"><dt>{{ field.label }}</dt>
            <dd v-bind="at(field.key)" :data-value="field.value">
              <elapsed v-if="field.kind === 'duration' && field.value == null && row.running_since" :from="row.running_since" running />
              <template v-else-if="field.value == null">–</template>
              <template v-else-if="field.kind === 'time'"><time-ago :at="field.value" /> <span class="lw-muted lw-number">{{ exactTime(field.value) }}</span></template>
              <span v-else-if="field.kind === 'duration'" class="lw-number">{{ duration(field.value) }}</span>
              <span v-else-if="field.kind === 'code'" class="lw-code">{{ field.value }}</span>
              <span v-else class="lw-number">{{ number(field.value) }}</span></dd></template>
          <template v-if="row.stream_id"><dt>Stream</dt><dd><a :href="pageLink('/streams/' + row.stream_id)">Open its stream</a></dd></template>
          <template v-if="row.link"><dt>Link</dt><dd><a :href="pageLink(row.link)" :target="row.link.startsWith('/') ? undefined : '_blank'" rel="noopener noreferrer" v-bind="at('link')">{{ row.link }}</a></dd></template>
        </dl>
        <section v-for="each in row.texts" :key="each.label" class="lw-details__text" :data-tone="each.label === 'Error' ? 'critical' : undefined">
          <h3>{{ each.label }}</h3><pre tabindex="0" dir="auto" :aria-label="each.label">{{ each.text }}</pre></section>
        <section v-if="row.metadata?.length" class="lw-details__text" aria-label="Metadata" v-bind="at('metadata')">
          <h3>Metadata</h3>
          <dl class="lw-details__facts"><template v-for="each in row.metadata" :key="each.label"><dt dir="auto">{{ each.label }}</dt><dd class="lw-details__value" dir="auto">{{ each.text }}</dd></template></dl></section>
        <a v-if="row.comments && !isInline" class="lw-button lw-button--link lw-details__comments" :href="pageLink(row.comments)">Comments</a>
      </template>
    </div>`,
};
