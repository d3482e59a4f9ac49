"""A wrapped command: runs it as it would run without us, and reports it as a stream."""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from livewatch.activities import OUTER
from livewatch.child import STDERR, STDOUT, Child, exit_code, replace_by, signal_name
from livewatch.operations import ERROR_LENGTH, checked_slug, slug_of, text
from livewatch.output import Output, ProgressWatch
from livewatch.process import PROCESS
from livewatch.runs import Run
from livewatch.settings import SettingsError, read_settings

NOT_FOUND, NOT_EXECUTABLE = 127, 126


def run_command(command: Sequence[str], *, name: str | None, slug: str | None, total: int | None) -> int:
    """Run it and report it; returns the exit code that it ended with, as a shell would tell it.

    Without settings it only runs, after one line on standard error that says so.
    """
    try:
        reason = None if read_settings() else "Set LIVEWATCH_URL and LIVEWATCH_KEY to report it."
    except SettingsError as error:
        reason = str(error)
    if reason is None:
        return Wrapped(command, name=name, slug=slug, total=total).run()
    print(f"livewatch: this run is reported nowhere. {reason}", file=sys.stderr)
    try:
        return exit_code(replace_by(command))
    except OSError as error:
        return _complain(command, error)


class Wrapped:
    """One command, to be run once."""

    def __init__(self, command: Sequence[str], *, name: str | None, slug: str | None, total: int | None) -> None:
        self._command = command
        self._name = name or _title(command)
        self._slug = checked_slug(slug) if slug else slug_of(self._name)
        self._total = total
        self._watch = ProgressWatch()
        self._outputs = {STDOUT: Output(self._watch), STDERR: Output(self._watch)}
        self._run: Run | None = None

    def run(self) -> int:
        began = time.monotonic()
        environment = {**os.environ, OUTER: self._slug}
        see = {number: output.feed for number, output in self._outputs.items()}
        child = None
        try:
            child = Child(self._command, environment, see)
        except OSError as error:
            code, reason = _complain(self._command, error), f"{self._command[0]}: {error.strerror}"
        # Only now: the command does not wait for us.
        self._run = run = Run(self._name, total=self._total, slug=self._slug, look=self._look)
        facts: dict[str, Any] = {"command": Path(self._command[0]).name, "host": platform.node()}
        if child is not None:
            run.annotate({**facts, "pid": child.pid})
            ended = child.wait()
            code, reason = exit_code(ended), signal_name(ended) or f"Exit code {ended}"
        seconds = time.monotonic() - began
        for output in self._outputs.values():
            output.end()
        run.annotate({**facts, "exit_code": code, "seconds": round(seconds, 3)})
        run.describe(f"{reason} after {_duration(seconds)}.")
        if code == 0:
            run.finish()
        else:
            run.fail(self._error(f"{reason} after {_duration(seconds)}."))
        PROCESS.close()
        return code

    def _look(self) -> tuple[float, float | None]:
        """How far it is; asked twice a second, also when it ends, which is when new lines are told too."""
        if self._run is not None:
            for output in self._outputs.values():
                lines, left_out = output.take()
                if left_out:
                    self._run.log(f"… {left_out} lines left out")
                for line in lines:
                    self._run.log(line)
        progress = self._watch.progress
        if progress is None:
            return 0, self._total
        if self._total is None:
            return progress.done, progress.total or 100
        return progress.done if progress.total is not None else self._total * progress.done / 100, self._total

    def _error(self, summary: str) -> str:
        """Why it failed, and its last lines, those on standard error if there are any."""
        kept: list[str] = []
        room = ERROR_LENGTH - len(summary)
        for line in reversed(self._outputs[STDERR].last or self._outputs[STDOUT].last):
            room -= len(line) + 1
            if room < 0:
                kept = kept or [text(line, ERROR_LENGTH - len(summary) - 1)]
                break
            kept.append(line)
        return "\n".join([summary, *reversed(kept)])


def _complain(command: Sequence[str], error: OSError) -> int:
    """Say why a command cannot be run; returns what a shell would."""
    if isinstance(error, FileNotFoundError):
        print(f"livewatch: {command[0]}: no such command; look at its spelling and at PATH.", file=sys.stderr)
        return NOT_FOUND
    print(f"livewatch: {command[0]} cannot be run: {error.strerror}.", file=sys.stderr)
    return NOT_EXECUTABLE


def _title(command: Sequence[str]) -> str:
    """The script where an interpreter runs one, else the program; no arguments, which may be secrets."""
    script = next((each for each in command[1:2] if Path(each).is_file()), command[0])
    return Path(script).name


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, hours = divmod(round(seconds), 3600)[1] // 60, round(seconds) // 3600
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {round(seconds) % 60} s"
