"""Agent executions as bars over time."""

from collections.abc import Callable

from components.presentation.compact_elements import SharedDict
from components.presentation.rows import presenter
from components.views.lists.joined_rows import JoinedRows, Stored
from components.views.lists.reaching_view import ReachingView
from components.views.lists.rows import RowsView
from components.window.live_element import SHARED_JS, LiveElement
from components.window.window import Window
from services.entities import AGENTS, AgentExecution, AgentStatus
from services.entities.base.listing import NEWEST
from services.lists.query import ListQuery
from services.realtime import Delta


class RunTimeline(LiveElement, component="run_timeline.js", dependencies=[SHARED_JS]):
    """Timeline of agent executions; accepts the batches of a list of agents."""

    def __init__(self, *, label: str = "Runs over time") -> None:
        super().__init__()
        self.props["status-styles"] = SharedDict(AgentStatus.styles())
        self.props["label"] = label

    def bind_runs(
        self,
        window: Window,
        *,
        where: Callable[[AgentExecution], bool],
        stored: Stored[AgentExecution],
        limit: int,
    ) -> None:
        """Show the latest `limit` executions that satisfy `where`; the subscription ends with the element.

        `stored` reads those that a feed does not hold.
        """

        def changed(deltas: list[Delta[AgentExecution]]) -> None:
            joined.take(deltas)
            binding.changed(deltas)

        binding = self.bind(window)
        subscription = window.subscribe(AGENTS, on_change=changed, where=where)
        query: ListQuery[AgentExecution] = ListQuery(spec=AGENTS.listing, sort=NEWEST)
        joined = JoinedRows(subscription, stored, query, on_news=binding.refresh)
        view = RowsView(joined, present=presenter(AGENTS), key=NEWEST.key, where=where, limit=limit)
        binding.view = ReachingView(view, joined, lambda: view.is_short_of(limit))
        self.on_delete(joined.close, subscription.close)
