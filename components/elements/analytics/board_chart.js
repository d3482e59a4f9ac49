// One chart, drawn by ECharts in the colours of the theme.
import { onMounted, onUnmounted, ref, watch } from "vue";
import { mayMove } from "shared";
import { clickable, coloursOf, optionsOf, summaryOf } from "chart_options";

const library = () => import("nicegui-echart");

export const BoardChart = {
  props: { figure: Object, range: Object, label: String, isLarge: Boolean },
  emits: ["open"],
  setup(props, { emit, expose }) {
    const host = ref(null);
    const failed = ref(false);
    let chart = null;
    let isGone = false;

    function draw() {
      if (!chart || !host.value?.clientWidth) return;
      const scale = props.isLarge ? Math.max(1, innerHeight / 1080) : 1;
      const options = optionsOf(props.figure, props.range, coloursOf(host.value), scale);
      chart.setOption({ ...options, animation: mayMove(), animationDuration: 200, animationDurationUpdate: 200 }, true);
    }
    const sizes = new ResizeObserver(() => {
      chart?.resize();
      draw();
    });
    const themes = new MutationObserver(draw);
    async function load() {
      sizes.observe(host.value);
      themes.observe(document.body, { attributeFilter: ["class"] });
      try {
        const { echarts } = await library();
        if (isGone) return;
        chart = echarts.init(host.value, null, { renderer: "canvas" });
      } catch {
        failed.value = true;
        return;
      }
      chart.on("click", (event) => {
        const [series, place] = clickable(props.figure, event);
        if (series !== null) emit("open", series, place);
      });
      draw();
    }
    let loading;
    onMounted(() => (loading = load()));
    onUnmounted(() => {
      isGone = true;
      sizes.disconnect();
      themes.disconnect();
      chart?.dispose();
    });
    watch(() => [props.figure, props.range.zone, props.isLarge], draw);
    async function picture() {
      await loading;
      return chart?.getDataURL({ type: "png", pixelRatio: 2, backgroundColor: coloursOf(host.value).surface });
    }
    expose({ picture });
    return { failed, host, picture, summaryOf };
  },
  template: `
    <div class="lw-board__canvas">
      <div ref="host" class="lw-board__drawing" role="img" :aria-label="summaryOf(figure, label)" data-testid="drawing"></div>
      <p v-if="failed" class="lw-muted">The charts could not be loaded. Reload the page to try again; the table has the values.</p>
    </div>`,
};
