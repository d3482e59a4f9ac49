// The latest runs of a job, oldest first: a strip of equal marks, and bars as high as the runs were long.
import { computed } from "vue";
import { duration, exactTime, statusStyleOf } from "formats";
import { pageLink, useNow } from "shared";

export const secondsOf = (run, now) => (run.from === null ? null : Math.max(0, ((run.to ?? now) - run.from) / 1000));

// Succeeded of those that succeeded or failed, in per cent.
export function successRate(job) {
  const ended = job.succeeded + job.failed;
  return ended ? Math.floor((100 * job.succeeded) / ended) + " %" : "–";
}

export function titleOf(run, style, now) {
  const seconds = secondsOf(run, now);
  const lines = [`Run ${run.number}: ${style.label}${run.attempt > 1 ? `, attempt ${run.attempt}` : ""}`];
  if (seconds !== null) lines.push(`${run.to === null ? "Running for" : "Took"} ${duration(seconds * 1000)}`);
  if (run.from !== null) lines.push(`Began ${exactTime(run.from)}`);
  if (run.error) lines.push(run.error.slice(0, 200));
  return lines.join("\n");
}

export const RunStrip = {
  props: { runs: Array, styles: Object, current: String },
  setup(props) {
    const now = useNow();
    const marks = computed(() =>
      props.runs.map((run) => {
        const style = statusStyleOf(props.styles, run.status);
        return { run, tone: style.tone, title: titleOf(run, style, now.value) };
      }),
    );
    return { marks, pageLink };
  },
  template: `
    <span class="lw-strip" role="list" aria-label="Latest runs, oldest first">
      <span v-for="mark in marks" :key="mark.run.id" role="listitem"><a class="lw-strip__run" :href="pageLink(mark.run.href)" :data-tone="mark.tone" :data-open="mark.run.to === null || undefined"
        :aria-current="mark.run.id === current || undefined" :title="mark.title"><span class="lw-sr-only">{{ mark.title }}</span></a></span>
    </span>`,
};

const HEIGHT = 140;

export const RunDurations = {
  props: { runs: Array, styles: Object, usual: Object },
  setup(props) {
    const now = useNow();
    const chart = computed(() => {
      const bars = props.runs.map((run) => ({ run, seconds: secondsOf(run, now.value) }));
      const longest = Math.max(1e-3, props.usual?.high ?? 0, ...bars.map((bar) => bar.seconds ?? 0));
      const height = (seconds) => (seconds / longest) * HEIGHT;
      return {
        longest: duration(longest * 1000),
        band: props.usual && {
          top: HEIGHT - height(props.usual.high),
          size: Math.max(1, height(props.usual.high) - height(props.usual.low)),
        },
        median: props.usual && HEIGHT - height(props.usual.median),
        bars: bars.map(({ run, seconds }) => {
          const style = statusStyleOf(props.styles, run.status);
          return {
            run,
            tone: style.tone,
            title: titleOf(run, style, now.value),
            size: seconds === null ? 0 : Math.max(2, height(seconds)),
          };
        }),
      };
    });
    return { chart, HEIGHT, pageLink };
  },
  template: `
    <div class="lw-durations" :style="{ '--height': HEIGHT + 'px' }">
      <span class="lw-durations__top lw-muted lw-number" aria-hidden="true">{{ chart.longest }}</span>
      <i v-if="chart.band" class="lw-durations__band" aria-hidden="true" :style="{ top: chart.band.top + 'px', height: chart.band.size + 'px' }"></i>
      <i v-if="chart.band" class="lw-durations__median" aria-hidden="true" :style="{ top: chart.median + 'px' }"></i>
      <a v-for="bar in chart.bars" :key="bar.run.id" class="lw-durations__run" tabindex="-1" aria-hidden="true" :href="pageLink(bar.run.href)" :title="bar.title"
         :data-tone="bar.tone" :data-open="bar.run.to === null || undefined"><i :style="{ height: bar.size + 'px' }"></i></a>
    </div>`,
};
