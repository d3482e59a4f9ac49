"""/logs: search in the logs of all runs of the organisation; the URL is the query."""

import asyncio
from collections.abc import Mapping
from datetime import UTC

from nicegui import background_tasks
from nicegui.events import GenericEventArguments

from components.elements.logs.log_search import LogSearch, Outcome
from components.shell.shell import page_head
from pages.page.context import PageContext
from pages.page.membership import ORG_PARAMETER
from services.errors import LivewatchError
from services.history.log_filter import PARAMETERS, LogFilter
from services.history.log_search import FoundLines, LogScope, Position, search_logs

JOB_PARAMETER = "job"
"""Parameter with the kind and slug of a job, whose latest runs alone are searched then."""
KNOWN = (*PARAMETERS, JOB_PARAMETER)
MAX_VALUE_CHARACTERS = 600


def logs_page(page: PageContext) -> None:
    """Build the page: a search, and the lines that match, latest first."""
    page_head("Logs")
    element = LogSearch(
        params=_known(page.url.params), download=f"/export/log.txt?{ORG_PARAMETER}={page.membership.org_id}"
    )
    searcher = _Searcher(page, element)

    async def search(event: GenericEventArguments) -> None:
        given, is_typing = event.args if isinstance(event.args, list) and len(event.args) == 2 else ({}, True)
        if isinstance(given, dict):
            page.url.set(_known(given), known=KNOWN, is_new=not is_typing)
            await searcher.begin(_known(given))

    def follow(params: Mapping[str, str]) -> None:
        element.take(_known(params))
        background_tasks.create(searcher.begin(_known(params)), name="search of the URL in logs")

    element.on("live", lambda: searcher.begin(_known(page.url.params)))
    element.on("search", search)
    element.on("more", searcher.more)
    page.url.listen(follow)


class _Searcher:
    """Searches for one window: one page of lines after the other."""

    def __init__(self, page: PageContext, element: LogSearch) -> None:
        self._page = page
        self._element = element
        self._filter = LogFilter()
        self._job = ""
        self._scope: LogScope | None = None
        self._reached: Position | None = None
        self._searches = 0
        """Counts searches: a slow answer to an earlier one must not take the place of a later one."""
        self._searching = asyncio.Lock()

    async def begin(self, params: Mapping[str, str]) -> None:
        """Search anew."""
        self._searches += 1
        self._reached = self._scope = None
        self._job = params.get(JOB_PARAMETER, "")
        try:
            self._filter = LogFilter.parse(params)
        except LivewatchError as error:
            self._element.show(Outcome(problem=str(error)))
            return
        await self._search(is_first=True)

    async def more(self) -> None:
        """Search on from where the last search ended."""
        if self._reached is not None:
            await self._search(is_first=False)

    async def _search(self, *, is_first: bool) -> None:
        number, wanted = self._searches, self._filter
        # One search at a time for a window, and of those that wait the latest only.
        async with self._searching:
            if number == self._searches:
                await self._answer(number, wanted, is_first=is_first)

    async def _answer(self, number: int, wanted: LogFilter, *, is_first: bool) -> None:
        database, identity, org = (
            self._page.services.database,
            self._page.session.identity,
            self._page.membership.org_id,
        )
        try:
            if self._scope is None:
                self._scope = (
                    await LogScope.of_job(database, identity, org, self._job) if self._job else LogScope(org_id=org)
                )
            found = await search_logs(database, identity, self._scope, wanted, before=self._reached)
        except LivewatchError as error:
            outcome = Outcome(
                is_first=is_first, is_more=self._reached is not None, problem=str(error), terms=wanted.terms
            )
        else:
            outcome = Outcome(
                lines=found.lines,
                is_first=is_first,
                is_more=found.reached is not None,
                note=_note(found),
                terms=wanted.terms,
            )
            if number == self._searches:
                self._reached = found.reached
        if number == self._searches:
            self._element.show(outcome)


def _note(found: FoundLines) -> str:
    if not found.is_cut or found.reached is None:
        return ""
    return f"Searched back to {found.reached.at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC, which took a while."


def _known(params: Mapping[str, object]) -> dict[str, str]:
    """The parameters of a query; a value that is too long is kept as one that is too long."""
    return {name: str(params[name])[:MAX_VALUE_CHARACTERS] for name in KNOWN if params.get(name)}
