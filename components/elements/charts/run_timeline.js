// Runs as bars over time, packed into the fewest lanes; running ones grow with the clock.
import { computed, ref, shallowRef } from "vue";
import { axis, duration, exactTime, statusStyleOf } from "formats";
import { useNow, useWidth } from "shared";

const LANE = 22;
const MIN_WIDTH = 3; // px, minimum width of a bar

export default {
  props: { statusStyles: Object, label: String },
  emits: ["live"],
  setup(props, { emit }) {
    const now = useNow();
    const host = ref(null);
    const width = useWidth(host, () => emit("live"));
    const rows = shallowRef(null);

    function apply(batch) {
      if (batch.reset) return void (rows.value = new Map(batch.reset.order.map((id) => [id, batch.reset.rows[id]])));
      if (!rows.value) return;
      const next = new Map(rows.value);
      for (const [id, fields] of Object.entries(batch.set ?? {})) next.set(id, { ...next.get(id), ...fields });
      if (batch.order) {
        const kept = new Set(batch.order);
        for (const id of next.keys()) if (!kept.has(id)) next.delete(id);
      }
      rows.value = next;
    }

    const runs = computed(() =>
      [...(rows.value ?? [])]
        .filter(([, row]) => row.started_at)
        .map(([id, row]) => ({
          id,
          row,
          from: row.started_at,
          isRunning: row.status === "running",
          to:
            row.completed_at ??
            (row.duration_ms != null
              ? row.started_at + row.duration_ms
              : row.status === "running"
                ? null
                : row.started_at),
        }))
        .sort((a, b) => a.from - b.from),
    );
    const frame = computed(() => {
      if (!runs.value.length) return null;
      const from = runs.value[0].from;
      const isOpen = runs.value.some((run) => run.to === null);
      const last = Math.max(...runs.value.map((run) => run.to ?? run.from));
      const to = Math.max(isOpen ? now.value : last, from + 1000);
      const x = (ms) => ((ms - from) / (to - from)) * (width.value - 2);
      const ends = [];
      const bars = runs.value.map((run) => {
        const left = x(run.from);
        const size = Math.max(MIN_WIDTH, x(run.to ?? to) - left);
        let lane = ends.findIndex((end) => end <= left);
        if (lane < 0) lane = ends.length;
        ends[lane] = left + size + 1;
        const statusStyle = statusStyleOf(props.statusStyles, run.row.status);
        const ms = run.row.duration_ms ?? (run.to ?? to) - run.from;
        return {
          ...run,
          left,
          lane,
          statusStyle,
          size,
          title: `${run.row.agent_name}\n${statusStyle.label}, ${duration(ms)}\n${exactTime(run.from)}`,
        };
      });
      return {
        bars,
        from,
        to,
        x,
        lanes: ends.length,
        ticks: axis.times(from, to, Math.max(2, Math.floor(width.value / 140))),
      };
    });
    return { apply, frame, host, LANE, rows, width };
  },
  template: `
    <div ref="host" class="lw-timeline" role="group" :aria-label="label">
      <div v-if="rows === null" class="lw-ghost lw-ghost--chart" aria-hidden="true"></div>
      <p v-else-if="!frame" class="lw-chart__none">No run has started yet.</p>
      <template v-else>
        <div class="lw-timeline__axis"><span v-for="tick in frame.ticks" :key="tick.ms" class="lw-number" :style="{ left: frame.x(tick.ms) + 'px' }">{{ tick.text }}</span></div>
        <div class="lw-timeline__lanes" tabindex="0" role="list" :aria-label="label" :style="{ '--lanes-height': frame.lanes * LANE + 'px' }">
          <div class="lw-timeline__canvas" role="presentation">
            <span v-for="bar in frame.bars" :key="bar.id" role="listitem" class="lw-timeline__bar" :class="{ 'lw-timeline__bar--running': bar.isRunning }" :data-tone="bar.statusStyle.tone"
                  data-table="agent_executions" :data-id="bar.id" data-field="bar" :data-value="bar.row.status" :title="bar.title"
                  :style="{ left: bar.left + 'px', width: bar.size + 'px', top: bar.lane * LANE + 'px' }"><span class="lw-timeline__name">{{ bar.size > 48 ? bar.row.agent_name : '' }}</span><span class="lw-sr-only">{{ bar.title }}</span></span>
          </div>
        </div>
      </template>
    </div>`,
};
