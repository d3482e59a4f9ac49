// Bars and loops of one run below each other, as a terminal stacks them.
import { computed, ref } from "vue";
import { amount, percent, statusStyleOf } from "formats";
import { live, ProgressBar } from "parts";

const FOLDED = 20; // bars shown before the rest is unfolded

export const RunBars = {
  directives: { live },
  components: { ProgressBar },
  props: { bars: Array, count: Number, isLive: Boolean, statusStyles: Object },
  setup(props) {
    const isOpen = ref(false);
    const shown = computed(() => (isOpen.value ? props.bars : props.bars.slice(0, FOLDED)));
    const left = computed(() => props.count - shown.value.length);
    const done = (bar) => (bar.percentage == null ? amount(bar.completed, bar.unit) : percent(bar.percentage));
    const exact = (bar) =>
      bar.total
        ? `${amount(bar.completed, bar.unit)} of ${amount(bar.total, bar.unit)}`
        : `${amount(bar.completed, bar.unit)} done`;
    const toneOf = (bar) => statusStyleOf(props.statusStyles, bar.status).tone;
    const canOpen = computed(() => !isOpen.value && props.bars.length > FOLDED);
    return { canOpen, done, exact, isOpen, left, shown, toneOf };
  },
  template: `
    <ul class="lw-bars">
      <li v-for="bar in shown" :key="bar.id" :title="bar.name + ': ' + exact(bar)" :style="{ paddingLeft: 12 * bar.depth + 'px' }" :data-status="bar.status">
        <span class="lw-clip lw-bars__name" dir="auto">{{ bar.name || "Bar" }}</span>
        <progress-bar :value="bar.percentage" :is-active="isLive && bar.status === 'in_progress'" :label="'Progress of ' + (bar.name || 'a bar')" :tone="toneOf(bar)" />
        <span class="lw-number lw-bars__done" v-live="done(bar)"></span>
      </li>
      <li v-if="canOpen" class="lw-bars__more"><button type="button" class="lw-text-button" @click="isOpen = true">Show all {{ bars.length }}</button></li>
      <li v-else-if="left > 0" class="lw-bars__more">and {{ left }} more</li>
    </ul>`,
};
