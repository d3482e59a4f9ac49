"""Run filters: for which runs and jobs a rule is, by the same search and facets as the lists of runs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from services.entities import RUNS
from services.entities.base.listing import ARCHIVE_FACET, TAG_FACET
from services.errors import NotAccepted
from services.lists.query import MAX_TEXT, ListQuery
from services.text import storable

FACETS = ("tag", "agent", "stream")
"""Facets of lists that a rule may have; a job is named by its slug, and what happened gives the status."""
_UNKNOWN: Mapping[str, Any] = {
    "name": "",
    "stream_type": "",
    "description": "",
    "current_step": "",
    "agent_id": "",
    "output_summary": "",
    "error": "",
    "tags": (),
    "stream_id": None,
    "archived_at": None,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFilter:
    """What runs a rule is for; everything by default.

    Args:
        kinds: Names of the kinds of run; empty for all.
        job: Slug of their job; empty for all.
        search: Words that a list of runs would find them by.
        chosen: Values of facets of the lists, separated by commas, by the facets' names.
        queries: The query of the list of each kind of run that has all chosen facets.
    """

    kinds: tuple[str, ...] = ()
    job: str = ""
    search: str = ""
    chosen: Mapping[str, str] = field(default_factory=dict)
    queries: Mapping[str, ListQuery[Any]]

    @classmethod
    def parse(cls, given: Mapping[str, Any]) -> "RunFilter":
        """Read `kinds`, `job`, `search` and the facets as a person or the database gave them.

        Raises:
            NotAccepted: A kind is none, a text is too long, or no kind of run has what was chosen.
        """
        kinds = tuple(dict.fromkeys(str(each) for each in given.get("kinds") or ()))
        if unknown := [each for each in kinds if each not in RUNS]:
            raise NotAccepted(f"“{unknown[0]}” is no kind of run. There are {', '.join(RUNS)}.")
        search, job = (_text(given.get(name), name) for name in ("search", "job"))
        chosen = {}
        for name in FACETS:
            values = [each.strip() for each in _text(given.get(name), name).split(",")]
            if value := ",".join(dict.fromkeys(filter(None, values))):
                chosen[name] = value
        params = {"q": search, **chosen}
        queries = {
            kind: ListQuery.parse(entity.listing, params)
            for kind, entity in RUNS.items()
            if (not kinds or kind in kinds) and chosen.keys() <= {facet.name for facet in entity.listing.facets}
        }
        if not queries:
            labels = " or ".join(RUNS[kind].label for kind in kinds)
            raise NotAccepted(f"The rule would never fire: {labels} are not filtered by {' and '.join(chosen)}.")
        return cls(kinds=kinds, job=job, search=search, chosen=chosen, queries=queries)

    @property
    def definition(self) -> dict[str, Any]:
        """The filter as the database stores it and `parse` reads it."""
        return {"kinds": list(self.kinds), "job": self.job, "search": self.search, **self.chosen}

    def matches(self, runs: "Matched") -> bool:
        """Whether a rule with it is for a run, or for a job."""
        query = self.queries.get(runs.kind)
        if query is None or (self.job and self.job != runs.job):
            return False
        # The list would say the same; with thousands of rules it costs more to ask.
        tags = query.chosen.get(TAG_FACET.name)
        if tags and tags.isdisjoint(runs.row.tags):
            return False
        excluded = ARCHIVE_FACET.name if runs.is_job else None
        return query.matches(runs.row, exclude_facet=excluded, searched=runs.searched)


class Matched:
    """A run or a job as filters see it; a job is matched as its newest run.

    Args:
        kind: Kind of the run, or of the runs of the job; empty for neither.
        job: Slug of the job; empty for none.
        facts: What `private.subject_facts` told; none if it was deleted.
        name: Its name.
        is_job: Whether it is a job. One is found whether its newest run is archived or not.
    """

    def __init__(self, *, kind: str, job: str, facts: Mapping[str, Any], name: str, is_job: bool) -> None:
        self.kind, self.job, self.is_job = kind, job, is_job
        of = (facts.get("newest") or {}) if is_job else facts
        known = {column: of[column] for column in _UNKNOWN if of.get(column) is not None}
        self.row = SimpleNamespace(**{**_UNKNOWN, "name": name, **known})
        self.row.agent_name = self.row.name
        self.searched = RUNS[kind].listing.searched(self.row) if kind in RUNS else ""


def _text(given: Any, name: str) -> str:
    if isinstance(given, list | tuple | set | frozenset):
        given = ",".join(map(str, given))
    text = storable(str(given or "")).strip()
    if len(text) > MAX_TEXT:
        raise NotAccepted(f"The {name} has {len(text):,} characters. At most {MAX_TEXT} are looked for.")
    return text


EVERY_RUN = RunFilter.parse({})
