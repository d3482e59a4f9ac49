// The people online, the reader included, and what each looks at.
import { ClippedName } from "parts";
import { useReader } from "shared";
import { Faces, linkOf, me, people, placeReaders } from "viewers";

export const PeopleList = {
  components: { ClippedName, Faces },
  emits: ["leave"],
  setup() {
    useReader(placeReaders);
    return { linkOf, me, people };
  },
  template: `
    <ul class="lw-online__list">
      <li v-for="person in people" :key="person.id" :data-testid="'online-' + person.id">
        <faces :people="[person]" label="" aria-hidden="true" />
        <div class="lw-online__about">
          <div class="lw-online__name"><strong dir="auto" :title="person.name"><clipped-name :text="person.name" /></strong>
            <span v-if="person.id === me" class="lw-tag">You</span>
            <span class="lw-muted">{{ person.idle ? 'Idle' : 'Active' }}</span></div>
          <div v-if="person.id !== me" class="lw-online__places">
            <a v-for="place in person.places" :key="linkOf(place)" :href="linkOf(place)" :class="{ 'lw-muted': place[1] }" :title="place[0]" dir="auto" @click="$emit('leave')">{{ place[0] }}</a>
          </div>
        </div>
      </li>
    </ul>`,
};
