"""Agents: what an AI agent does within a run, from its start to its end."""

from __future__ import annotations

from livewatch.activities import Activity, stream_here
from livewatch.operations import slug_of, text
from livewatch.process import PROCESS


class Agent(Activity):
    """An execution of an agent, in the run around it; set `output` to what came of it."""

    kind = "agents"

    def __init__(self, name: object, *, input: object = None, slug: str | None = None) -> None:
        super().__init__(name, slug, PROCESS.reporter())
        self._stream = stream_here()
        self.output: object = None
        reporter = self._reporter
        if reporter is None:
            return
        fields = {"agent_id": slug_of(self.name, unique=False), "agent_name": self.name, "status": "running"}
        if self._stream is not None:
            fields["stream"] = self._stream
        if input is not None:
            fields["input_summary"] = text(input)
        reporter.put(self.path, fields)
        reporter.follow(self)

    @property
    def stream(self) -> str | None:
        return self._stream

    def end_with(self, error: BaseException | None) -> None:
        # By name: a program without asyncio need not load it.
        if isinstance(error, KeyboardInterrupt) or type(error).__name__ == "CancelledError":
            self._finish("cancelled", None)
        else:
            super().end_with(error)

    def _end(self, succeeded: bool, error: str | None) -> None:
        self._finish("completed" if succeeded else "failed", error)

    def _finish(self, status: str, error: str | None) -> None:
        reporter = self._open()
        if reporter is None:
            return
        with self._lock:
            if self.ended:
                return
            self.ended = True
        reporter.forget(self)
        fields = {"status": status, "output_summary": None if self.output is None else text(self.output)}
        fields["error"] = error
        reporter.post(f"{self.path}/finish", {name: value for name, value in fields.items() if value is not None})
