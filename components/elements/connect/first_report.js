// Shows whether a program's first report has arrived.
import { LiveDot, TimeAgo } from "parts";
import { pageLink } from "shared";

const WAITING = { tone: "caution", icon: "hourglass_empty", label: "Waiting", pulse: true };
const THERE = { tone: "positive", icon: "check_circle", label: "Connected", pulse: false };

export default {
  components: { LiveDot, TimeAgo },
  props: { ready: Boolean, report: Object },
  setup: () => ({ pageLink, THERE, WAITING }),
  template: `
    <div class="lw-first" role="status" :data-tone="(report ? THERE : WAITING).tone" data-testid="first-report" :data-value="String(!!report)">
      <live-dot v-if="ready || report" :status-style="report ? THERE : WAITING" />
      <span v-if="report">First report received: <a :href="pageLink(report.path)">{{ report.name }}</a>, <time-ago :at="report.at" /></span>
      <span v-else-if="!ready" class="lw-muted">Your first report appears here</span>
      <span v-else>Waiting for the first report. Run one of the snippets above; this turns green at once.</span>
    </div>`,
};
