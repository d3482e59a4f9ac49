// The table behind a chart: the same values for screen readers, keyboards and everybody who wants numbers.
import { computed } from "vue";
import { pageLink } from "shared";
import { timesOf, valueText } from "chart_options";

const FIRST = { ranking: "Job", heat: "Hour" };

export const ChartTable = {
  props: { figure: Object, range: Object, label: String },
  emits: ["open"],
  setup(props) {
    const isOverTime = computed(() => !(props.figure.form in FIRST));
    const labels = computed(() => {
      if (!isOverTime.value) return props.figure.labels;
      const times = timesOf(props.figure, props.range);
      return props.figure.labels.map(times.full);
    });
    // The latest first; parts without anything are left out.
    const rows = computed(() => {
      const all = labels.value.map((label, place) => ({
        label,
        place,
        link: props.figure.links[place],
        values: props.figure.series.map((each) => ({ key: each.key, label: each.label, value: each.values[place] })),
      }));
      if (!isOverTime.value) return all;
      return all.filter((row) => row.values.some((each) => each.value)).reverse();
    });
    return { first: computed(() => FIRST[props.figure.form] ?? "From"), pageLink, rows, valueText };
  },
  template: `
    <div class="lw-facts lw-board__table" tabindex="0" role="region" :aria-label="'Table: ' + label">
      <p v-if="!rows.length" class="lw-muted">Nothing in this range.</p>
      <table v-else>
        <caption class="lw-sr-only">{{ label }}</caption>
        <thead><tr><th scope="col">{{ first }}</th><th v-for="each in figure.series" :key="each.key" scope="col" data-kind="number" dir="auto">{{ each.label }}</th></tr></thead>
        <tbody>
          <tr v-for="row in rows" :key="row.place">
            <th scope="row" dir="auto"><a v-if="row.link" class="lw-job-link" :href="pageLink(row.link)">{{ row.label }}</a><template v-else>{{ row.label }}</template></th>
            <td v-for="cell in row.values" :key="cell.key" data-kind="number" class="lw-number">
              <button v-if="cell.value" type="button" class="lw-board__cell" :aria-label="row.label + ', ' + cell.label + ': ' + valueText(cell.value, figure.unit) + '. Show the runs'" @click="$emit('open', cell.key, row.place)">{{ valueText(cell.value, figure.unit) }}</button>
              <template v-else>{{ cell.value === null ? "–" : valueText(cell.value, figure.unit) }}</template>
            </td>
          </tr>
        </tbody>
      </table>
    </div>`,
};
