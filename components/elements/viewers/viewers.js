// Who is online, as `online_people.js` is told, and who looks at which row, for any component of the window.
import { computed, ref, shallowRef } from "vue";
import { pageLink, useReader } from "shared";

export const people = shallowRef([]); // sorted by name, the reader included
export const me = ref("");

// How many components show who looks at a row; the server says so only while there are some.
export const readers = ref(0);
// And those that show all places of everybody.
export const placeReaders = ref(0);

// The others by the id of the row that they look at. A row keeps its list while nothing changes there, so that a list of
// rows renders only those that somebody has come to or left.
let known = new Map();
const byRow = computed(() => {
  const found = new Map();
  const names = new Map(people.value.map((person) => [person.id, person.name]));
  for (const [row, viewers] of looking.value ?? fromPlaces()) {
    const others = viewers.filter(({ id }) => id !== me.value && names.has(id)).map((each) => named(each, names));
    if (others.length) found.set(row, others);
  }
  for (const [row, viewers] of found) {
    const before = known.get(row);
    if (before && JSON.stringify(before) === JSON.stringify(viewers)) found.set(row, before);
  }
  known = found;
  return found;
});
const named = ({ id, idle }, names) => ({ id, name: names.get(id), idle });
const NONE = [];

// Who looks at each row, as the server says it (see RowViewers); null while it sends places instead.
const looking = shallowRef(null);
let numbered = [];
const viewerOf = (number) => ({ id: numbered[number < 0 ? ~number : number], idle: number < 0 });

export function look({ reset, looking: changed }) {
  const all = reset?.looking;
  if (reset) numbered = [];
  if (reset && !all) looking.value = null;
  const told = all ?? changed;
  if (!told) return;
  numbered.push(...told.people);
  const rows = new Map(all ? [] : looking.value);
  for (const [row, numbers] of Object.entries(told.rows)) {
    if (numbers.length) rows.set(row, numbers.map(viewerOf));
    else rows.delete(row);
  }
  looking.value = rows;
}

function fromPlaces() {
  const rows = new Map();
  for (const { id, places = [] } of people.value) {
    const idleAt = new Map();
    for (const [, idle, row] of places) if (row) idleAt.set(row, (idleAt.get(row) ?? true) && idle);
    for (const [row, idle] of idleAt) rows.set(row, [...(rows.get(row) ?? []), { id, idle }]);
  }
  return rows;
}

export function useViewersOf(row) {
  useReader(readers);
  return computed(() => byRow.value.get(row) ?? NONE);
}

export function linkOf([, , row, path]) {
  if (path === null) return pageLink("/streams/" + row);
  return pageLink(path) + (row ? "?selected=" + row : "");
}

export const nameOf = ({ name, idle }) => (idle ? `${name} (idle)` : name);

// The first characters of the first two words, whole ones also of emojis and combined letters.
const characters = new Intl.Segmenter();
export function initials(name) {
  const words = name.replace(/[@.]/g, " ").split(/\s+/).filter(Boolean);
  const first = words.slice(0, 2).map((word) => [...characters.segment(word)][0].segment);
  return first.join("").toUpperCase() || "?";
}

const HUES = 8;
function hueOf(id) {
  let sum = 0;
  for (const each of id) sum = (sum * 31 + each.charCodeAt(0)) % 65521;
  return sum % HUES;
}

const Face = {
  props: { person: Object },
  setup: (props) => ({
    hue: computed(() => hueOf(props.person.id)),
    text: computed(() => initials(props.person.name)),
  }),
  template: `<span class="lw-face" :class="{ 'lw-face--idle': person.idle }" :data-hue="hue" aria-hidden="true">{{ text }}</span>`,
};

// Faces of up to `most` people and the number of the others. `label` says who they are, for a screen reader and the mouse.
export const Faces = {
  components: { Face },
  props: { people: Array, most: { type: Number, default: 3 }, label: String },
  setup(props) {
    const count = computed(() => props.most + (props.people.length === props.most + 1 ? 1 : 0));
    const shown = computed(() => props.people.slice(0, count.value));
    return {
      more: computed(() => props.people.length - shown.value.length),
      names: computed(() => props.label + props.people.map(nameOf).join(", ")),
      shown,
    };
  },
  template: `
    <span class="lw-faces" role="img" :aria-label="names" :title="names">
      <face v-for="person in shown" :key="person.id" :person="person" />
      <span v-if="more" class="lw-face lw-face--more" aria-hidden="true">+{{ more }}</span>
    </span>`,
};
