"""Agent executions as bars over time."""

from collections.abc import Callable

from components.presentation.compact_elements import SharedDict
from components.views.lists.joined_rows import Stored
from components.views.lists.reaching_view import bind_joined
from components.window.live_element import LiveElement
from components.window.window import Window
from services.entities import AGENTS, AgentExecution, AgentStatus
from services.entities.base.listing import NEWEST


class RunTimeline(LiveElement, component="run_timeline.js"):
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
        """Show the latest `limit` executions that satisfy `where`; `stored` reads those that a feed does not hold."""
        bind_joined(self, window, AGENTS, where=where, stored=stored, sort=NEWEST, limit=limit)
