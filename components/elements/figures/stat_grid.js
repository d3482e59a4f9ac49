// Stat cards whose numbers are highlighted when they change.
import { computed, onMounted, onUnmounted, ref, shallowReactive, watch } from "vue";
import { number } from "formats";
import { fieldAttributes, live } from "parts";
import { mayMove, pageLink } from "shared";

const LIGHT_UP = { duration: 300, easing: "ease-out" };

// The text is updated at once; only the highlight is animated.
const Counter = {
  directives: { live },
  props: { value: [Number, String], isBound: Boolean },
  setup(props) {
    const host = ref(null);
    // Not the computed colour: reading it would have the browser style the page at once.
    const lightUp = () => mayMove() && host.value?.animate({ color: ["var(--lw-accent)", "currentColor"] }, LIGHT_UP);
    watch(() => props.value, lightUp, { flush: "post" });
    return { host, number };
  },
  template: `<span ref="host" class="lw-number" v-live="number(value) + (isBound ? '+' : '')"></span>`,
};

// One value per minute of the last hour; the scale starts at 0.
const Sparkline = {
  props: { values: Array, label: String },
  setup(props) {
    const path = computed(() => {
      const top = Math.max(1, ...props.values);
      const step = 100 / (props.values.length - 1);
      return props.values
        .map(
          (value, index) => `${index ? "L" : "M"}${(index * step).toFixed(2)},${(23 - (value / top) * 21).toFixed(2)}`,
        )
        .join("");
    });
    const text = computed(
      () => `${props.label}, last hour: ${Math.min(...props.values)} to ${Math.max(...props.values)}`,
    );
    return { path, text };
  },
  template: `
    <svg class="lw-spark" viewBox="0 0 100 24" preserveAspectRatio="none" role="img" :aria-label="text"><title>{{ text }}</title>
      <path class="lw-spark__area" :d="path + 'V24H0Z'" /><path class="lw-spark__line" :d="path" /></svg>`,
};

const StatCard = {
  components: { Counter, Sparkline },
  props: { stat: Object, fields: Object },
  setup(props) {
    const inLocale = (text) => text.replace(/\d+/g, (digits) => number(Number(digits)));
    return { at: (field) => fieldAttributes("stats", props.stat.key, field), inLocale, pageLink };
  },
  template: `
    <div class="lw-stat" :data-tone="fields.tone ?? undefined">
      <div class="lw-stat__label"><i class="lw-icon notranslate" aria-hidden="true">{{ stat.icon }}</i>
        <a v-if="stat.href" class="lw-card__link lw-clip" :href="pageLink(stat.href)">{{ stat.label }}</a>
        <span v-else class="lw-clip">{{ stat.label }}</span></div>
      <div class="lw-stat__value">
        <counter v-if="fields.value != null" :value="fields.value" :is-bound="fields.at_least" :data-value="fields.value" v-bind="at('value')" />
        <span v-else class="lw-ghost__line" aria-hidden="true"></span>
        <span v-if="fields.hint" class="lw-stat__hint lw-clip" :title="fields.hint" v-bind="at('hint')">{{ inLocale(fields.hint) }}</span>
      </div>
      <sparkline v-if="stat.spark && fields.spark" :values="fields.spark" :label="stat.label" v-bind="at('spark')" :data-value="fields.spark.join(',')" />
      <div v-else-if="stat.spark" class="lw-spark" aria-hidden="true"></div>
    </div>`,
};

export default {
  components: { StatCard },
  props: { stats: Array },
  emits: ["live", "history"],
  setup(props, { emit }) {
    const fields = new Map(props.stats.map((stat) => [stat.key, shallowReactive({})]));
    let timer = null;
    const askForHistory = () => document.hidden || emit("history");
    onMounted(() => {
      emit("live");
      if (!props.stats.some((stat) => stat.spark)) return;
      askForHistory();
      timer = setInterval(askForHistory, 60000);
    });
    onUnmounted(() => clearInterval(timer));
    return {
      fields,
      apply(batch) {
        for (const [key, changed] of Object.entries(batch.reset?.rows ?? batch.set ?? {})) {
          if (fields.has(key)) Object.assign(fields.get(key), changed);
        }
      },
    };
  },
  template: `<div class="lw-stats"><stat-card v-for="stat in stats" :key="stat.key" :stat="stat" :fields="fields.get(stat.key)" /></div>`,
};
