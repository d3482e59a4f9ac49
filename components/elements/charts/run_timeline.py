"""Agent executions as bars over time."""

from collections.abc import Callable

from components.presentation.compact_elements import SharedDict
from components.presentation.rows import presenter
from components.views.rows import RowsView
from components.window.live_element import SHARED_JS, LiveElement
from components.window.window import Window
from services.entities import AGENTS, AgentExecution, AgentStatus
from services.entities.base.listing import newest_first


class RunTimeline(LiveElement, component="run_timeline.js", dependencies=[SHARED_JS]):
    """Timeline of agent executions; accepts the batches of a list of agents."""

    def __init__(self, *, label: str = "Runs over time") -> None:
        super().__init__()
        self.props["status-styles"] = SharedDict(AgentStatus.styles())
        self.props["label"] = label

    def bind_runs(self, window: Window, *, where: Callable[[AgentExecution], bool], limit: int) -> None:
        """Show the latest `limit` executions that satisfy `where`; the subscription ends with the element."""
        binding = self.bind(window)
        subscription = window.subscribe(AGENTS, on_change=binding.changed)
        binding.view = RowsView(subscription, present=presenter(AGENTS), key=newest_first, where=where, limit=limit)
        self.on_delete(subscription.close)
