// Stat cards whose numbers count to their new values.
import { onMounted, ref, shallowReactive, watch } from "vue";
import { fieldAttributes, mayMove, pageLink } from "lw_parts";

const COUNT_MS = 300;

const Counter = {
  props: { value: [Number, String] },
  setup(props) {
    const shown = ref(props.value);
    let frame = 0;
    watch(
      () => props.value,
      (to, from) => {
        cancelAnimationFrame(frame);
        if (!mayMove() || !Number.isFinite(to) || !Number.isFinite(from)) return void (shown.value = to);
        const begin = performance.now();
        const start = Number(shown.value);
        const decimals = Number.isInteger(to) ? 0 : 1;
        const step = (time) => {
          const share = Math.min(1, Math.max(0, (time - begin) / COUNT_MS));
          const eased = 1 - (1 - share) ** 3;
          shown.value = share === 1 ? to : Number((start + (to - start) * eased).toFixed(decimals));
          if (share < 1) frame = requestAnimationFrame(step);
        };
        frame = requestAnimationFrame(step);
        // A page that goes into hiding has no more frames, and must still say what is true.
        setTimeout(() => document.hidden && (shown.value = props.value), COUNT_MS + 50);
      },
    );
    return { shown };
  },
  template: `<span class="lw-number">{{ shown }}</span>`,
};

const StatCard = {
  components: { Counter },
  props: { stat: Object, fields: Object },
  setup(props) {
    return { at: (field) => fieldAttributes("stats", props.stat.key, field), pageLink };
  },
  template: `
    <div class="lw-stat" :data-tone="fields.tone ?? undefined">
      <div class="lw-stat__label"><i class="lw-icon notranslate" aria-hidden="true">{{ stat.icon }}</i>
        <a v-if="stat.href" class="lw-card__link lw-clip" :href="pageLink(stat.href)">{{ stat.label }}</a>
        <span v-else class="lw-clip">{{ stat.label }}</span></div>
      <div class="lw-stat__value">
        <counter v-if="fields.value != null" :value="fields.value" :data-value="fields.value" v-bind="at('value')" />
        <span v-else class="lw-ghost__line" aria-hidden="true"></span>
        <span v-if="fields.hint" class="lw-stat__hint lw-clip" :title="fields.hint" v-bind="at('hint')">{{ fields.hint }}</span>
      </div>
    </div>`,
};

export default {
  components: { StatCard },
  props: { stats: Array },
  emits: ["live"],
  setup(props, { emit }) {
    const fields = new Map(props.stats.map((stat) => [stat.key, shallowReactive({})]));
    onMounted(() => emit("live"));
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
