// The others who look at a row: their faces and names.
import { nameOf, Faces, useViewersOf } from "viewers";

export default {
  components: { Faces },
  props: { row: String },
  setup: (props) => ({ apply() {}, nameOf, viewers: useViewersOf(props.row) }),
  template: `
    <div v-if="viewers.length" class="lw-looking" data-testid="looking">
      <span class="lw-muted">Looking at this:</span>
      <faces :people="viewers" label="" aria-hidden="true" />
      <span class="lw-looking__names"><template v-for="(person, index) in viewers" :key="person.id"><bdi>{{ nameOf(person) }}</bdi>{{ index + 1 < viewers.length ? ", " : "" }}</template></span>
    </div>
    <span v-else hidden></span>`,
};
