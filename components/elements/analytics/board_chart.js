// One chart of a board, drawn by ECharts in the colours of the theme.
import { onMounted, ref, watch } from "vue";
import { mayMove } from "shared";
import { useDrawing } from "drawing";
import { boardColours, clickable, optionsOf, summaryOf } from "chart_options";

export const BoardChart = {
  props: { figure: Object, range: Object, label: String, isLarge: Boolean },
  emits: ["open"],
  setup(props, { emit, expose }) {
    const host = ref(null);

    function draw(chart) {
      const scale = props.isLarge ? Math.max(1, innerHeight / 1080) : 1;
      const options = optionsOf(props.figure, props.range, boardColours(host.value), scale);
      chart.setOption({ ...options, animation: mayMove(), animationDuration: 200, animationDurationUpdate: 200 }, true);
    }
    const drawing = useDrawing(host, draw, (chart) =>
      chart.on("click", (event) => {
        const [series, place] = clickable(props.figure, event);
        if (series !== null) emit("open", series, place);
      }),
    );
    onMounted(drawing.begin);
    watch(() => [props.figure, props.range.zone, props.isLarge], drawing.redraw);
    async function picture() {
      await drawing.begin();
      const { surface } = boardColours(host.value);
      return drawing.chart()?.getDataURL({ type: "png", pixelRatio: 2, backgroundColor: surface });
    }
    expose({ picture });
    return { failed: drawing.failed, host, picture, summaryOf };
  },
  template: `
    <div class="lw-board__canvas">
      <div ref="host" class="lw-board__drawing" role="img" :aria-label="summaryOf(figure, label)" data-testid="drawing"></div>
      <p v-if="failed" class="lw-muted">The charts could not be loaded. Reload the page to try again; the table has the values.</p>
    </div>`,
};
