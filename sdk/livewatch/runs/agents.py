"""Agents: executions of AI agents within runs."""

from __future__ import annotations

from livewatch.delivery.operations import slug_of, text, without_none
from livewatch.reporting.process import PROCESS
from livewatch.runs.activities import Activity, current_stream
from livewatch.runs.endings import Ending


class Agent(Activity):
    """An agent execution within the current run, started by its construction.

    Set `output` before it ends. An exception fails it; KeyboardInterrupt and CancelledError cancel it.
    """

    kind = "agents"

    def __init__(self, name: object, *, input: object = None, slug: str | None = None) -> None:
        super().__init__(name, slug, PROCESS.reporter())
        self._stream = current_stream()
        self.output: object = None
        reporter = self._reporter
        if reporter is None:
            return
        fields = {
            "agent_id": slug_of(self.name, unique=False),
            "agent_name": self.name,
            "status": "running",
            "stream": self._stream,
            "input_summary": None if input is None else text(input),
        }
        reporter.put(self.path, without_none(fields))
        reporter.add_source(self)

    @property
    def stream(self) -> str | None:
        """Slug of the stream that it belongs to, if any."""
        return self._stream

    def _end(self, ending: Ending) -> None:
        reporter = self._close()
        if reporter is None:
            return
        output = None if self.output is None else text(self.output)
        fields = {
            "status": ending.outcome.status(),
            "output_summary": output,
            "error": ending.error,
            "elapsed": self.elapsed,
        }
        reporter.post(f"{self.path}/finish", without_none(fields))
