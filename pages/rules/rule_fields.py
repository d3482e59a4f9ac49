"""Fields of a rule; those of an event, of agents and of a message's own words are there only with them."""

from collections.abc import Callable, Iterable
from typing import Any

from nicegui import ui

from components.presentation.text import text
from pages.page.context import PageContext
from pages.rules.choices import Choices
from pages.rules.wording import PACES, ROLES
from services.delivery.message import MAX_TEXT_CHARACTERS, MAX_TITLE_CHARACTERS
from services.entities import RUNS, Priority
from services.lists.query import MAX_TEXT
from services.rules.rule import MAX_NAME_CHARACTERS, Rule, RuleEvent
from services.rules.terms.pace import Pace
from services.rules.terms.template import PLACEHOLDERS
from services.schedules.duration import duration_text
from services.text import visible_name

ROWS = "outlined dense options-dense use-chips"
MAX_FIGURE_CHARACTERS = 20


class RuleFields:
    """The fields of a dialog, built where it is made.

    Args:
        page: The page.
        known: Whom rules may tell, and what agents there are.
        rule: The rule to begin with; None for a new one.
        name: Its name.
        on_change: Called when a field has changed.
    """

    def __init__(
        self, page: PageContext, known: Choices, rule: Rule | None, name: str, *, on_change: Callable[[], None]
    ) -> None:
        self._on_change = on_change
        self._fields: dict[str, Any] = {}
        self._shown: list[tuple[Any, Callable[[], bool]]] = []
        may_pass_alerts = page.membership.is_admin
        events = {each: each.style.label for each in RuleEvent if may_pass_alerts or each is not RuleEvent.ALERT}
        self._words("name", "Name", name, MAX_NAME_CHARACTERS)
        self._several("events", "When a run is …", events, rule.events if rule else [RuleEvent.FAILED])
        self._figures(rule)
        self._filters(known, rule)
        self._people(page, known, rule)
        self._times(rule)
        self._template(rule)
        self.refresh()

    @property
    def values(self) -> dict[str, Any]:
        """What was given, by the names under which `Rule.parse` reads it."""
        given = {name: field.value for name, field in self._fields.items() if not name.startswith("_")}
        if not self._fields["_is_worded"].value:
            given |= {"title": "", "text": ""}
        if not self._is_of_agents():
            given |= {"agent": (), "stream": ()}
        return given

    def refresh(self) -> None:
        """Show the fields that the others ask for."""
        for field, is_shown in self._shown:
            field.set_visibility(is_shown())

    def _figures(self, rule: Rule | None) -> None:
        limits = rule.limits if rule else None
        times = f"{limits.times:g}" if limits and limits.times else "3"
        percent = f"{limits.percent:g}" if limits and limits.percent else "50"
        after = limits.after if limits and limits.after else "2h"
        self._words("times", "Times its usual duration", times, MAX_FIGURE_CHARACTERS, self._with(RuleEvent.OVERLONG))
        is_behind = self._with(RuleEvent.BEHIND)
        self._words("percent", "Below this progress, in per cent", percent, MAX_FIGURE_CHARACTERS, is_behind)
        label = "At, such as 2h after its beginning, or 06:00 each day"
        self._words("after", label, after, MAX_FIGURE_CHARACTERS, is_behind)
        absent = limits.absent if limits and limits.absent else "1d"
        self._words(
            "absent", "No run has begun for, such as 2d", absent, MAX_FIGURE_CHARACTERS, self._with(RuleEvent.ABSENT)
        )
        priorities = {each: each.style.label for each in Priority}
        chosen = rule.priority if rule else Priority.LOW
        self._one("priority", "Alerts from priority", priorities, chosen, self._with(RuleEvent.ALERT))

    def _filters(self, known: Choices, rule: Rule | None) -> None:
        chosen = rule.filter if rule else None
        kinds = {each: entity.label for each, entity in RUNS.items()}
        tag, agent, stream = (chosen.chosen.get(name, "") if chosen else "" for name in ("tag", "agent", "stream"))
        self._several("kinds", "Kinds of run; none for all", kinds, chosen.kinds if chosen else ())
        self._words("job", "Job, by its slug; empty for all", chosen.job if chosen else "", MAX_TEXT)
        self._words("tag", "Tags, one of which it has, separated by commas; empty for any", tag, MAX_TEXT)
        self._words(
            "search", "Words that its list finds it by; empty for any", chosen.search if chosen else "", MAX_TEXT
        )
        for name, label, given, found in (
            ("agent", "Agents; none for any", agent, known.agents),
            ("stream", "Streams of agents; none for all", stream, known.streams),
        ):
            values = [each for each in given.split(",") if each]
            options = found | {each: visible_name(each) for each in values if each not in found}
            self._several(name, label, options, values, self._is_of_agents)

    def _people(self, page: PageContext, known: Choices, rule: Rule | None) -> None:
        channels = {id: visible_name(each.name) for id, each in known.channels.items()}
        me = [page.session.identity.user_id]
        self._several("roles", "Tell the inbox of", dict(ROLES), rule.roles if rule else ())
        self._several("people", "Tell people", known.people, rule.people if rule else me)
        self._several("channels", "Tell channels", channels, rule.channels if rule else ())

    def _times(self, rule: Rule | None) -> None:
        quiet = str(rule.quiet) if rule and rule.quiet else ""
        repeat = duration_text(rule.repeat_seconds) if rule and rule.repeat_seconds else ""
        self._one("pace", "How often", dict(PACES), rule.pace if rule else Pace.GROUPED)
        self._words("repeat", "Again while it is so, such as 1h; empty for once", repeat, MAX_FIGURE_CHARACTERS)
        self._words("quiet", "Quiet hours, such as 22:00-07:00; empty for none", quiet, MAX_FIGURE_CHARACTERS)
        self._words("zone", "Time zone of these times", rule.zone if rule else "UTC", 60, self._has_clock)
        value = rule is None or rule.tells_recovery
        self._fields["tells_recovery"] = ui.checkbox("Tell when it is over", value=value).props("dense")

    def _template(self, rule: Rule | None) -> None:
        template = rule.template if rule else None
        title, body = (template.title, template.text) if template else ("", "")
        worded = ui.checkbox("Word the messages yourself", value=bool(title or body), on_change=self._changed)
        self._fields["_is_worded"] = worded.props("dense")
        self._words("title", "Title; empty for the usual one", title, MAX_TITLE_CHARACTERS, self._is_worded)
        area = ui.textarea("Text; empty for the usual one", value=body, on_change=self._changed)
        area.props(f"outlined dense autogrow maxlength={MAX_TEXT_CHARACTERS}")
        self._fields["text"] = area
        names = text("p", f"Placeholders: {', '.join(f'${name}' for name in PLACEHOLDERS)}.").classes("lw-muted")
        self._shown += [(area, self._is_worded), (names, self._is_worded)]

    def _is_worded(self) -> bool:
        return bool(self._fields["_is_worded"].value)

    def _is_of_agents(self) -> bool:
        return list(self._fields["kinds"].value or ()) == ["agents"]

    def _has_clock(self) -> bool:
        is_behind = RuleEvent.BEHIND in (self._fields["events"].value or ())
        return bool(self._fields["quiet"].value) or (is_behind and ":" in str(self._fields["after"].value or ""))

    def _with(self, event: RuleEvent) -> Callable[[], bool]:
        return lambda: event in (self._fields["events"].value or ())

    def _changed(self) -> None:
        self.refresh()
        self._on_change()

    def _words(self, name: str, label: str, value: str, limit: int, is_shown: Callable[[], bool] | None = None) -> None:
        field = ui.input(label, value=value, on_change=self._changed)
        self._keep(name, field.props(f"outlined dense maxlength={limit}"), is_shown)

    def _one(
        self, name: str, label: str, options: dict[Any, str], value: Any, is_shown: Callable[[], bool] | None = None
    ) -> None:
        self._keep(name, ui.select(options, value=value, label=label).props("outlined dense options-dense"), is_shown)

    def _several(
        self,
        name: str,
        label: str,
        options: dict[Any, str],
        value: Iterable[Any],
        is_shown: Callable[[], bool] | None = None,
    ) -> None:
        chosen = [each for each in value if each in options]
        field = ui.select(options, value=chosen, label=label, multiple=True, on_change=self._changed)
        self._keep(name, field.props(ROWS), is_shown)

    def _keep(self, name: str, field: Any, is_shown: Callable[[], bool] | None) -> None:
        self._fields[name] = field
        if is_shown:
            self._shown.append((field, is_shown))
