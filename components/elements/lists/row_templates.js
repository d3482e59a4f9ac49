// One component per entity with its own row layout, and a default one. Each renders from its own reactive `row`, so that a
// change re-renders one row only.
import { computed } from "vue";
import { RunBars } from "run_bars";
import { amount, number, statusStyleOf, percent, roughly } from "formats";
import { ClippedName, Elapsed, fieldAttributes, live, LiveDot, Pace, ProgressBar, StatusBadge, TimeAgo } from "parts";
import { pageLink } from "shared";
import { HANDLED, useHandlingOf } from "handling";
import { Faces, useViewersOf } from "viewers";

const MAX_STEPS = 10; // steps shown side by side

// First child of each row whose list lets the user choose rows.
const CHECKBOX = `
    <label v-if="isChosen != null" class="lw-check"><input type="checkbox" :tabindex="stop" :checked="isChosen" :aria-label="'Select ' + (row.name ?? row.agent_name ?? row.target_name ?? row.title)" @click="$emit('toggle', $event, id)"></label>`;

const TAGS = `
    <ul v-if="row.tags?.length" class="lw-tags" aria-label="Tags"><li v-for="tag in row.tags" :key="tag" class="lw-clip" dir="auto" :title="tag">{{ tag }}</li></ul>`;

function rowComponent(statusField, template, more = () => ({})) {
  const startTag = template.indexOf(">") + 1;
  return {
    directives: { live },
    components: { ClippedName, Elapsed, Faces, LiveDot, Pace, ProgressBar, RunBars, StatusBadge, TimeAgo },
    props: {
      id: String,
      row: Object,
      table: String,
      path: String,
      statusStyles: Object,
      isStop: Boolean,
      folded: Number,
      isChosen: { type: Boolean, default: null },
    },
    emits: ["markRead", "markUnread", "select", "toggle", "unfold"],
    setup(props) {
      const at = (field) => fieldAttributes(props.table, props.id, field);
      return {
        amount,
        at,
        // Of all rows, Tab stops at one; arrow keys lead to the others.
        stop: computed(() => (props.isStop ? 0 : -1)),
        details: computed(() => pageLink(props.path + "?selected=" + props.id)),
        statusStyle: computed(() => statusStyleOf(props.statusStyles, props.row[statusField])),
        number,
        pageLink,
        percent,
        ...more(props),
      };
    },
    template: template.slice(0, startTag) + CHECKBOX + template.slice(startTag),
  };
}

const StreamCard = rowComponent(
  "goal_status",
  `<div class="lw-card" role="listitem" :data-table="table" :data-id="id">
    <div class="lw-card__head">
      <live-dot :status-style="statusStyle" />
      <a :tabindex="stop" class="lw-card__name lw-card__link" :href="pageLink('/streams/' + id)" :title="row.name" v-bind="at('name')"><clipped-name :text="row.name" /></a>
      <faces v-if="viewers.length" :people="viewers" :most="2" label="Looking at this: " />
      <status-badge :status-style="statusStyle" :value="row.goal_status" v-bind="at('goal_status')" />
    </div>
    <div class="lw-card__figures lw-number">
      <template v-if="row.percentage != null">
        <span class="lw-card__percent" :data-value="row.percentage" v-bind="at('percentage')" v-live="percent(row.percentage)"></span>
        <span><b :data-value="row.completed" v-bind="at('completed')" v-live="amount(row.completed, row.unit)"></b> / <span :data-value="row.total" v-bind="at('total')" v-live="amount(row.total, row.unit)"></span><template v-if="row.unit && row.unit !== 'B'">{{ " " + row.unit }}</template></span>
      </template>
      <template v-else>
        <span class="lw-card__percent"><span :data-value="row.completed" v-bind="at('completed')" v-live="amount(row.completed, row.unit)"></span> <small><template v-if="row.unit && row.unit !== 'B'">{{ row.unit }} </template>done</small></span>
        <elapsed v-if="row.started_at" :from="row.started_at" :ms="row.duration_ms" :running="statusStyle.pulse" v-bind="at('duration_ms')" />
      </template>
    </div>
    <progress-bar :value="row.percentage" :is-active="statusStyle.pulse" :label="'Progress of ' + row.name" :tone="statusStyle.tone" />
    <run-bars v-if="row.bars?.length" :bars="row.bars" :count="row.bar_count" :is-live="statusStyle.pulse" :status-styles="statusStyles" />${TAGS}
    <button v-if="folded" type="button" :tabindex="stop" class="lw-text-button lw-card__fold" @click="$emit('unfold', id)">Show {{ number(folded) }} more of this program</button>
    <div class="lw-card__foot">
      <span v-if="row.error" class="lw-clip lw-critical" :title="row.error" v-bind="at('error')">{{ row.error }}</span>
      <pace v-else :row="row" :table="table" :id="id" :unit="row.unit ?? ''" />
      <span v-if="!row.error || !handling" class="lw-clip" v-bind="at('stream_type')">{{ row.stream_type }}</span>
      <span v-if="row.quality_target" class="lw-clip">Quality target <b v-bind="at('quality_target')">{{ row.quality_target }}</b></span>${HANDLED}
      <time-ago :at="row.updated_at" v-bind="at('updated_at')" />
    </div>
  </div>`,
  (props) => ({ handling: useHandlingOf(props.id), viewers: useViewersOf(props.id) }),
);

const ScanCard = rowComponent(
  "status",
  `<div class="lw-card" role="listitem" :data-table="table" :data-id="id">
    <div class="lw-card__head">
      <live-dot :status-style="statusStyle" />
      <a :tabindex="stop" class="lw-card__name lw-card__link" :href="pageLink(path + '?selected=' + id)" :title="row.name" v-bind="at('name')" @click="$emit('select', $event, id)"><clipped-name :text="row.name" /></a>
      <status-badge :status-style="statusStyle" :value="row.status" v-bind="at('status')" />
    </div>
    <div class="lw-card__figures lw-number">
      <span class="lw-card__percent" :data-value="row.progress_percentage" v-bind="at('progress_percentage')" v-live="percent(row.progress_percentage)"></span>
      <span><b :data-value="row.targets_analyzed" v-bind="at('targets_analyzed')" v-live="number(row.targets_analyzed)"></b> of <span :data-value="row.targets_identified" v-bind="at('targets_identified')" v-live="number(row.targets_identified)"></span> analysed</span>
    </div>
    <progress-bar :value="row.progress_percentage" :label="'Progress of ' + row.name" :tone="statusStyle.tone" />
    <ol v-if="row.steps.length <= MAX_STEPS" class="lw-steps" :data-tone="statusStyle.tone">
      <li v-for="(step, index) in row.steps" :key="index" :title="step" :data-state="stateOf(index)"
          :aria-current="stateOf(index) === 'current' ? 'step' : undefined">
        <i v-if="stateOf(index) === 'done'" class="lw-icon notranslate" aria-hidden="true">check</i>
        <live-dot v-else-if="stateOf(index) === 'current'" :status-style="statusStyle" />
        <span v-else class="lw-steps__open" aria-hidden="true"></span>
        <span v-if="stateOf(index) === 'current'" class="lw-clip" v-bind="at('current_step')">{{ step }}</span>
        <span v-else class="lw-sr-only">{{ step }}</span>
      </li>
    </ol>${TAGS}
    <div class="lw-card__foot">
      <span v-if="row.error" class="lw-clip lw-critical" :title="row.error" v-bind="at('error')">{{ row.error }}</span>
      <pace v-else-if="row.rate || row.incidents?.length" :row="row" :table="table" :id="id" unit="%" />
      <span v-else-if="row.step != null" class="lw-clip"><template v-if="row.steps.length > MAX_STEPS"><span v-bind="at('current_step')">{{ row.current_step }}</span>, s</template><template v-else>S</template>tep <span class="lw-number">{{ row.step + 1 }}</span> of {{ row.steps.length }}</span>
      <span v-else-if="row.current_step" class="lw-clip" v-bind="at('current_step')">{{ row.current_step }}</span>${HANDLED}
      <time-ago :at="row.updated_at" v-bind="at('updated_at')" />
    </div>
  </div>`,
  (props) => ({
    MAX_STEPS,
    handling: useHandlingOf(props.id),
    stateOf(index) {
      if (props.row.status === "completed") return "done";
      if (props.row.step == null || index > props.row.step) return "open";
      return index < props.row.step ? "done" : "current";
    },
  }),
);

const AgentRow = rowComponent(
  "status",
  `<div class="lw-line lw-line--agent" role="listitem" :data-table="table" :data-id="id">
    <live-dot :status-style="statusStyle" />
    <div class="lw-line__main">
      <a :tabindex="stop" class="lw-line__title lw-card__link lw-clip" :href="pageLink(path + '?selected=' + id)" :title="row.agent_name" v-bind="at('agent_name')" @click="$emit('select', $event, id)"><clipped-name :text="row.agent_name" /></a>
      <span v-if="row.summary" class="lw-line__note lw-clip" :class="{ 'lw-critical': row.status === 'failed' }" :title="row.summary">{{ row.summary }}</span>
      <pace v-if="row.incidents?.length" :row="row" :table="table" :id="id" />${TAGS}${HANDLED}
    </div>
    <status-badge :status-style="statusStyle" :value="row.status" v-bind="at('status')" />
    <elapsed class="lw-line__figure" :from="row.started_at" :ms="row.duration_ms" :running="row.status === 'running'" v-bind="at('duration_ms')" />
    <time-ago :at="row.started_at" v-bind="at('started_at')" />
  </div>`,
  (props) => ({ handling: useHandlingOf(props.id) }),
);

// One button for both directions, and never disabled, so that it keeps the focus.
const READ_BUTTON = `
    <button type="button" :tabindex="stop" class="lw-icon-button" :title="row.is_read ? 'Mark as unread' : 'Mark as read'"
            :aria-label="(row.is_read ? 'Mark as unread: ' : 'Mark as read: ') + (row.title ?? row.target_name)" :aria-disabled="row.pending ? 'true' : undefined"
            @click="row.pending || $emit(row.is_read ? 'markUnread' : 'markRead', id)"><i class="lw-icon notranslate" aria-hidden="true">{{ row.is_read ? 'mark_email_unread' : 'done' }}</i></button>`;

const AlertRow = rowComponent(
  "priority",
  `<div class="lw-line lw-line--alert" role="listitem" :class="{ 'lw-line--unread': !row.is_read }" :data-table="table" :data-id="id">
    <span class="lw-unread" v-bind="at('is_read')" :data-value="String(row.is_read)"><span class="lw-sr-only">{{ row.is_read ? "Read" : "Unread" }}</span></span>
    <status-badge :status-style="statusStyle" :value="row.priority" v-bind="at('priority')" />
    <div class="lw-line__main">
      <a v-if="row.stream_id" :tabindex="stop" class="lw-line__title lw-clip" :href="pageLink('/streams/' + row.stream_id)" :title="row.target_name" v-bind="at('target_name')">{{ row.target_name }}</a>
      <a v-else :tabindex="stop" class="lw-line__title lw-clip" :href="details" :title="row.target_name" v-bind="at('target_name')" @click="$emit('select', $event, id)">{{ row.target_name }}</a>
      <a :tabindex="stop" class="lw-line__note lw-clip" :href="details" title="Show in full" @click="$emit('select', $event, id)"><span v-bind="at('signal_type')">{{ row.signal_type }}</span><template v-if="row.company_name"> · <span v-bind="at('company_name')">{{ row.company_name }}</span></template></a>${HANDLED}
    </div>
    <span class="lw-strength" :data-tone="statusStyle.tone" title="Signal strength, 0 to 100">
      <span class="lw-strength__bar" aria-hidden="true"><span :style="{ transform: 'scaleX(' + row.signal_strength / 100 + ')' }"></span></span>
      <span class="lw-sr-only">Strength </span><span class="lw-number" v-bind="at('signal_strength')" v-live="row.signal_strength"></span>
    </span>
    <time-ago :at="row.detected_at" v-bind="at('detected_at')" />${READ_BUTTON}
  </div>`,
  (props) => ({ handling: useHandlingOf(props.row.event_id ?? props.id) }),
);

const NotificationRow = rowComponent(
  "type",
  `<div class="lw-line lw-line--notification" role="listitem" :class="{ 'lw-line--unread': !row.is_read }" :data-table="table" :data-id="id">
    <span class="lw-unread" v-bind="at('is_read')" :data-value="String(row.is_read)"><span class="lw-sr-only">{{ row.is_read ? "Read" : "Unread" }}</span></span>
    <span class="lw-tone-icon" :data-tone="statusStyle.tone" :title="statusStyle.label"><i class="lw-icon notranslate" aria-hidden="true">{{ statusStyle.icon }}</i><span class="lw-sr-only" v-bind="at('type')" :data-value="row.type">{{ statusStyle.label }}</span></span>
    <div class="lw-line__main">
      <a v-if="row.action_url" :tabindex="stop" class="lw-line__title lw-clip" :href="pageLink(row.action_url)" :target="row.action_url.startsWith('/') ? undefined : '_blank'" rel="noopener noreferrer" v-bind="at('title')">{{ row.title }}</a>
      <a v-else :tabindex="stop" class="lw-line__title lw-clip" :href="details" v-bind="at('title')" @click="$emit('select', $event, id)">{{ row.title }}</a>
      <a :tabindex="stop" class="lw-line__note lw-line__note--long" :href="details" title="Show in full" v-bind="at('message')" @click="$emit('select', $event, id)">{{ row.message }}</a>
    </div>
    <time-ago :at="row.created_at" v-bind="at('created_at')" />${READ_BUTTON}
  </div>`,
);

const SUBJECTS = { streams: "Stream", acquisition_scans: "Scan", agent_executions: "Agent", jobs: "Job" };

const ActivityRow = rowComponent(
  "status_style",
  `<div class="lw-line lw-line--activity" role="listitem" :data-table="table" :data-id="id" :data-subject="row.subject_id">
    <span class="lw-tone-icon" :data-tone="statusStyle.tone"><i class="lw-icon notranslate" aria-hidden="true">{{ statusStyle.icon }}</i></span>
    <span class="lw-clip">{{ SUBJECTS[row.subject] }} <a v-if="row.stream_id" :tabindex="stop" class="lw-line__title" :href="pageLink('/streams/' + row.stream_id)" :title="row.subject_name" v-bind="at('subject_name')">{{ row.subject_name }}</a>
      <b v-else class="lw-line__title" v-bind="at('subject_name')">{{ row.subject_name }}</b></span>
    <span class="lw-activity__status" :data-tone="statusStyle.tone" :data-value="row.status_style" v-bind="at('status')">{{ statusStyle.label }}<template v-if="row.lasted_ms != null"> after {{ roughly(row.lasted_ms) }}</template></span>
    <time-ago :at="row.created_at" v-bind="at('created_at')" />
  </div>`,
  () => ({ SUBJECTS, roughly }),
);

const FIGURES = {
  streams: { status: "goal_status", share: "percentage", done: "completed", all: "total" },
  acquisition_scans: {
    status: "status",
    share: "progress_percentage",
    done: "targets_analyzed",
    all: "targets_identified",
  },
};

const figuresOf = (template) => (props) => ({
  names: FIGURES[template],
  part: computed(() =>
    Object.fromEntries(Object.entries(FIGURES[template]).map(([part, name]) => [part, props.row[name]])),
  ),
});

const fullProgress = (template) =>
  rowComponent(
    FIGURES[template].status,
    `<div class="lw-progress" role="listitem" :data-table="table" :data-id="id">
    <div class="lw-progress__head">
      <span class="lw-progress__label lw-clip" :title="row.name" v-bind="at('name')">{{ row.name }}</span>
      <status-badge :status-style="statusStyle" :value="part.status" v-bind="at(names.status)" />
      <span v-if="part.share != null" class="lw-progress__percent lw-number" :data-value="part.share" v-bind="at(names.share)" v-live="percent(part.share)"></span>
    </div>
    <progress-bar :value="part.share" :is-active="statusStyle.pulse" :label="'Progress of ' + row.name" :tone="statusStyle.tone" />
    <div class="lw-progress__foot">
      <span class="lw-number"><b :data-value="part.done" v-bind="at(names.done)" v-live="amount(part.done, row.unit)"></b><template v-if="part.share != null"> / <span :data-value="part.all" v-bind="at(names.all)" v-live="amount(part.all, row.unit)"></span></template><template v-else> done</template></span>
      <span v-if="row.current_step" class="lw-clip" v-bind="at('current_step')">{{ row.current_step }}</span>
      <time-ago :at="row.updated_at" v-bind="at('updated_at')" />
    </div>
  </div>`,
    figuresOf(template),
  );

const compactProgress = (template) =>
  rowComponent(
    FIGURES[template].status,
    `<div class="lw-progress lw-progress--compact" role="listitem" :data-table="table" :data-id="id">
    <live-dot :status-style="statusStyle" /><span class="lw-sr-only" :data-value="part.status" v-bind="at(names.status)">{{ statusStyle.label }}</span>
    <span class="lw-progress__label lw-clip" :title="row.name" v-bind="at('name')">{{ row.name }}</span>
    <progress-bar :value="part.share" :is-active="statusStyle.pulse" :label="'Progress of ' + row.name" :tone="statusStyle.tone" />
    <span v-if="part.share != null" class="lw-progress__percent lw-number" :data-value="part.share" v-bind="at(names.share)" v-live="percent(part.share)"></span>
    <span v-else class="lw-progress__percent lw-number" :data-value="part.done" v-bind="at(names.done)" v-live="number(part.done)"></span>
  </div>`,
    figuresOf(template),
  );

// The default template renders the layout that the entity declares.
const DefaultRow = rowComponent(
  "status",
  `<div class="lw-line lw-line--default" role="listitem" :data-table="table" :data-id="id">
    <live-dot :status-style="statusStyle" />
    <div class="lw-line__main">
      <a :tabindex="stop" class="lw-line__title lw-card__link lw-clip" :href="pageLink(path + '?selected=' + id)" :title="row.title" v-bind="at('title')" @click="$emit('select', $event, id)">{{ row.title }}</a>
      <span v-if="row.note" class="lw-line__note lw-clip" :title="row.note" v-bind="at('note')">{{ row.note }}</span>
      <progress-bar v-if="row.progress != null" :value="row.progress" :label="'Progress of ' + row.title" :tone="statusStyle.tone" />
    </div>
    <span v-if="row.progress != null" class="lw-line__figure lw-number" :data-value="row.progress" v-bind="at('progress')">{{ percent(row.progress) }}</span>
    <status-badge :status-style="statusStyle" :value="row.status" v-bind="at('status')" />
    <time-ago :at="row.time" v-bind="at('time')" />
  </div>`,
);

const TEMPLATES = {
  streams: { component: StreamCard, layout: "lw-cards" },
  acquisition_scans: { component: ScanCard, layout: "lw-cards lw-cards--scans" },
  agent_executions: { component: AgentRow, layout: "lw-lines" },
  signal_alerts: { component: AlertRow, layout: "lw-lines lw-lines--tall" },
  notifications: { component: NotificationRow, layout: "lw-lines lw-lines--tall" },
  activities: { component: ActivityRow, layout: "lw-lines" },
  "streams-full": { component: fullProgress("streams"), layout: "lw-progresses" },
  "streams-compact": { component: compactProgress("streams"), layout: "lw-progresses lw-progresses--compact" },
  "acquisition_scans-full": { component: fullProgress("acquisition_scans"), layout: "lw-progresses" },
  "acquisition_scans-compact": {
    component: compactProgress("acquisition_scans"),
    layout: "lw-progresses lw-progresses--compact",
  },
};

export const templateOf = (name) => TEMPLATES[name] ?? { component: DefaultRow, layout: "lw-lines" };
