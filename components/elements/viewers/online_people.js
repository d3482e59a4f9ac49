// The others who are online: faces in the header, and a menu that says where each is.
import { computed, onMounted, ref } from "vue";
import { pageLink, useDemand } from "shared";
import { PeopleList } from "people_list";
import { Faces, look, me, nameOf, people, placeReaders, readers } from "viewers";

const MOST = 4;
// What the server is asked for, each with all before it.
const SHOWS = ["people", "rows", "places"];

export default {
  components: { Faces, PeopleList },
  props: { me: String, shown: Boolean },
  emits: ["live", "shows"],
  setup(props, { emit }) {
    me.value = props.me;
    const rows = new Map();
    const open = ref(false);
    const others = computed(() => people.value.filter((person) => person.id !== props.me));
    const inUseFirst = computed(() => [...others.value].sort((one, other) => one.idle - other.idle));
    const label = computed(() => {
      const count = others.value.length === 1 ? "1 other person" : `${others.value.length} other people`;
      return `${count} online: ${others.value.map(nameOf).join(", ")}`;
    });

    const wanted = computed(() => (placeReaders.value > 0 ? 2 : readers.value > 0 ? 1 : 0));
    useDemand(wanted, (told) => emit("shows", SHOWS[told]));
    onMounted(() => emit("live"));

    function apply(batch) {
      const { rows: whole, order: all } = batch.reset ?? {};
      if (whole) rows.clear();
      for (const [id, fields] of Object.entries(whole ?? batch.set ?? {})) rows.set(id, { id, ...fields });
      const order = all ?? batch.order ?? people.value.map((person) => person.id);
      for (const id of [...rows.keys()]) if (!order.includes(id)) rows.delete(id);
      people.value = order.map((id) => rows.get(id)).filter(Boolean);
      look(batch);
    }

    return { apply, inUseFirst, label, MOST, open, others, pageLink };
  },
  template: `
    <div class="lw-online">
      <button v-if="others.length" type="button" class="lw-online__button" :aria-label="label" aria-haspopup="dialog" :aria-expanded="String(open)" data-testid="online">
        <faces class="lw-online__faces" :people="inUseFirst" :most="MOST" label="Online: " aria-hidden="true" />
        <span class="lw-online__count lw-number" aria-hidden="true">{{ others.length }}</span>
        <q-menu v-model="open" anchor="bottom right" self="top right" :offset="[0, 6]" class="lw-menu lw-online__menu" role="dialog" aria-label="People online">
          <people-list @leave="open = false" />
          <p v-if="!shown" class="lw-online__note lw-muted">You are not shown to others. <a :href="pageLink('/settings')" @click="open = false">Settings</a></p>
        </q-menu>
      </button>
    </div>`,
};
