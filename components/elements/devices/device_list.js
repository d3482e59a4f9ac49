// The person's devices, and the buttons of this browser.
import { computed, onMounted, onUnmounted, ref, watch } from "vue";
import { TimeAgo } from "parts";
import { Refusal, removeWorker, stateOf, turnOff, turnOn } from "this_device";

const ABOUT = {
  on: "This device is told of your alerts and notifications, also while Livewatch is closed.",
  off: "Be told of your alerts and notifications on this device, also while Livewatch is closed.",
  removed: "The offline page and notifications were removed from this browser. Turn them on to have them again.",
  blocked: "Notifications are blocked for this site. Allow them in the browser's settings, then reload the page.",
  install: "Add Livewatch to the home screen first: Share, then “Add to Home Screen”. Open it from there.",
  unable: "This browser has no web push here. It needs a current browser, and https or this machine's own address.",
};

export default {
  components: { TimeAgo },
  props: { devices: Array, root: String, appKey: String, quiet: String, user: String },
  emits: ["changed", "quiet", "try", "remove"],
  setup(props, { emit }) {
    const inBrowser = ref("");
    const busy = ref(false);
    const refusal = ref("");
    const canInstall = ref(Boolean(window.lwInstall));
    const look = async () => (inBrowser.value = await stateOf().catch(() => "unable"));
    // Removed from the list, here or elsewhere, or added under a session that is over.
    const isKnown = computed(() => props.devices === null || props.devices.some((each) => each.is_of_session));
    const state = computed(() => (inBrowser.value === "on" && !isKnown.value ? "off" : inBrowser.value));
    const offer = () => (canInstall.value = Boolean(window.lwInstall));

    async function act(work) {
      busy.value = true;
      refusal.value = "";
      try {
        await work(props);
        emit("changed");
      } catch (error) {
        refusal.value = error instanceof Refusal ? error.message : `This did not work: ${error.message}. Try again.`;
      }
      busy.value = false;
      await look();
    }

    const hours = ref(props.quiet);
    watch(
      () => props.quiet,
      (chosen) => (hours.value = chosen),
    );
    const chooseQuiet = () =>
      emit("quiet", { hours: hours.value, zone: Intl.DateTimeFormat().resolvedOptions().timeZone });

    async function install() {
      await window.lwInstall?.prompt();
      window.lwInstall = null;
      offer();
    }

    onMounted(() => {
      look();
      document.addEventListener("lw-install", offer);
    });
    onUnmounted(() => document.removeEventListener("lw-install", offer));
    return { ABOUT, act, busy, canInstall, chooseQuiet, hours, install, refusal, removeWorker, state, turnOff, turnOn };
  },
  template: `
    <div class="lw-devices">
      <div class="lw-setting">
        <div class="lw-setting__about">
          <h3>This device</h3>
          <p class="lw-muted" role="status" data-testid="this-device" :data-state="state">{{ ABOUT[state] }}</p>
          <p v-if="refusal" class="lw-devices__refusal" role="alert">{{ refusal }}</p>
        </div>
        <div class="lw-setting__control lw-devices__buttons">
          <button v-if="canInstall" type="button" class="lw-button" @click="install">Install</button>
          <button v-if="state === 'off' || state === 'removed'" type="button" class="lw-button lw-button--primary" :disabled="busy"
                  @click="act(turnOn)">Turn on here</button>
          <button v-if="state === 'on'" type="button" class="lw-button" :disabled="busy" @click="act(turnOff)">Turn off here</button>
          <button v-if="state === 'on' || state === 'off'" type="button" class="lw-button" :disabled="busy"
                  title="Ends the service worker of this browser, with the offline page" @click="act(removeWorker)">Remove offline page</button>
        </div>
      </div>
      <form class="lw-setting" @submit.prevent="chooseQuiet">
        <div class="lw-setting__about">
          <h3>Quiet hours</h3>
          <p class="lw-muted">No device rings then; what came is told when they are over. Written like 22:00-07:00, or empty for none.</p>
        </div>
        <div class="lw-setting__control lw-devices__buttons">
          <span class="lw-field"><input v-model="hours" aria-label="Quiet hours" placeholder="22:00-07:00" maxlength="20" size="12"></span>
          <button class="lw-button" aria-label="Save the quiet hours" :disabled="hours === quiet">Save</button>
        </div>
      </form>
      <div v-if="devices === null" class="lw-ghost" aria-hidden="true"><i></i><i></i></div>
      <p v-else-if="!devices.length" class="lw-muted">No device is told yet.</p>
      <ul v-else class="lw-people">
        <li v-for="device in devices" :key="device.id" class="lw-person" :data-testid="'device-' + device.id">
          <div class="lw-person__main">
            <strong class="lw-clip" dir="auto">{{ device.name }}</strong>
            <span v-if="device.is_of_session" class="lw-tag">This session</span>
          </div>
          <div class="lw-person__facts lw-muted">
            <span>Added <time-ago :at="device.created_at" /></span>
            <span v-if="device.answer">{{ device.answer }} <time-ago :at="device.answered_at" /></span>
          </div>
          <div class="lw-person__end lw-row">
            <button type="button" class="lw-button" :aria-label="'Test ' + device.name" @click="$emit('try', device.id)">Test</button>
            <button type="button" class="lw-button" :aria-label="'Remove ' + device.name" @click="$emit('remove', device.id)">Remove</button>
          </div>
        </li>
      </ul>
    </div>`,
};
