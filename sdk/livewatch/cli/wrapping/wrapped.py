"""`livewatch run`: runs a command unchanged and reports it as a stream."""

from __future__ import annotations

import os
import platform
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from livewatch.cli.exit_codes import ExitCode
from livewatch.cli.output import Output
from livewatch.cli.wrapping.child import (
    STDERR,
    STDOUT,
    Child,
    cancelling_signal,
    exec_command,
    shell_exit_code,
    signal_name,
)
from livewatch.cli.wrapping.tracker import ProgressTracker, TrackedBar
from livewatch.delivery.operations import MAX_ERROR_CHARACTERS, checked_slug, slug_of, text
from livewatch.reporting.environment import Environment
from livewatch.reporting.pending_updates import omitted_lines
from livewatch.reporting.process import PROCESS
from livewatch.runs.activities import RUN_VARIABLE
from livewatch.runs.attached import PROGRESS_VARIABLE
from livewatch.runs.bars import Bar, ProgressSource
from livewatch.runs.endings import COMPLETED, STOPPED
from livewatch.runs.run import Run, page_url
from livewatch.settings import SettingsError, require_settings

# The folder of the `sitecustomize` that patches tqdm.
INJECTED = Path(__file__).parents[2] / "tqdm" / "inject"


@dataclass(frozen=True)
class WrapOptions:
    """How a command is run and reported.

    Attributes:
        name: Title of the run; the name of the script or program if None.
        slug: Name of the run in URLs; generated if None.
        total: Number of units to do, to which progress in per cent is scaled.
        reports_tqdm: Whether the bars of tqdm in a Python command are reported.
        dies_with_parent: Whether the command is ended when this process is killed.
        is_quiet: Whether the URL of the run is left unsaid.
        tags: Tags of the run.
        schedule: When runs of the job are expected; see `Run`.
    """

    name: str | None = None
    slug: str | None = None
    total: float | None = None
    reports_tqdm: bool = False
    dies_with_parent: bool = False
    is_quiet: bool = False
    tags: tuple[str, ...] = ()
    schedule: Mapping[str, str] | None = None


def run_command(command: Sequence[str], options: WrapOptions) -> int:
    """Run and report a command; without valid settings, print a warning and only run it.

    Args:
        command: Program and arguments.
        options: How it is run and reported.

    Returns:
        The command's exit code as a shell reports it.
    """
    try:
        settings = require_settings()
    except SettingsError as error:
        print(f"livewatch: this run is not reported. {error}", file=sys.stderr)
    else:
        wrapped = WrappedCommand(command, options)
        if not options.is_quiet:
            with suppress(OSError):
                print(f"Livewatch: {page_url(settings.url, wrapped.slug)}", file=sys.stderr, flush=True)
        return wrapped.run()
    try:
        return shell_exit_code(exec_command(command))
    except OSError as error:
        return _print_start_error(command, error)


class WrappedCommand:
    """A command that is run and reported once. For the arguments see `run_command`."""

    def __init__(self, command: Sequence[str], options: WrapOptions) -> None:
        self._command = command
        self._options = options
        self._name = options.name or _title(command)
        self.slug = checked_slug(options.slug) if options.slug else slug_of(self._name)
        """Name of the run in URLs."""
        self._total = options.total
        self._marker = Path(tempfile.gettempdir()) / f"livewatch-{os.getpid()}-{os.urandom(4).hex()}"
        self._progress = ProgressTracker()
        self._outputs = {STDOUT: Output(self._progress), STDERR: Output(self._progress)}
        self._bars: dict[TrackedBar, Bar] = {}
        self._run: Run | None = None

    def run(self) -> int:
        """Run the command to its end; return its exit code as a shell reports it."""
        started_at = time.monotonic()
        environment = self._environment()
        observers = {number: output.feed for number, output in self._outputs.items()}
        child = None
        try:
            child = Child(self._command, environment, observers, dies_with_parent=self._options.dies_with_parent)
        except OSError as error:
            code, reason = _print_start_error(self._command, error), f"{self._command[0]}: {error.strerror}"
        # Only now: the command does not wait for the report.
        self._run = run = Run(
            self._name,
            total=self._total,
            slug=self.slug,
            tags=self._options.tags,
            progress_source=self._sample,
            environment=Environment(self._command),
            schedule=self._options.schedule,
        )
        cancelled_by: str | None = None
        metadata: dict[str, Any] = {"command": Path(self._command[0]).name, "host": platform.node()}
        if child is not None:
            run.annotate({**metadata, "pid": child.pid})
            return_code = child.wait()
            code, reason = shell_exit_code(return_code), signal_name(return_code) or f"Exit code {return_code}"
            cancelled_by = cancelling_signal(return_code, child.forwarded)
        seconds = time.monotonic() - started_at
        for output in self._outputs.values():
            output.end()
        # Bars are made by a sample, and ended with the run.
        run.sample()
        summary = f"{reason} after {_duration(seconds)}."
        run.annotate({**metadata, "exit_code": int(code), "seconds": round(seconds, 3)})
        run.describe(summary)
        if code == 0:
            run.finish()
        elif cancelled_by is not None:
            run.cancel(cancelled_by)
        else:
            run.fail(self._error(summary))
        PROCESS.close()
        with suppress(OSError):
            self._marker.unlink()
        return code

    def _environment(self) -> dict[str, str]:
        environment = {**os.environ, RUN_VARIABLE: self.slug, PROGRESS_VARIABLE: str(self._marker)}
        if self._options.reports_tqdm:
            paths = [str(INJECTED), *filter(None, [environment.get("PYTHONPATH")])]
            environment["PYTHONPATH"] = os.pathsep.join(paths)
        return environment

    def _sample(self) -> tuple[float | None, float | None]:
        """Log new lines and return the progress, if any; called twice a second and at the end."""
        if self._run is not None:
            for output in self._outputs.values():
                lines, omitted = output.take()
                if omitted:
                    self._run.log(omitted_lines(omitted))
                for line in lines:
                    self._run.log(line)
        progress = self._progress.progress
        # The command may report its progress itself, which counts more than what it prints.
        reports_itself = self._marker.exists()
        self._report_bars(begins=not reports_itself)
        if progress is None or reports_itself:
            return None, self._total
        if progress.is_percent and self._total is not None:
            return self._total * progress.done / 100, self._total
        return progress.done, progress.total if self._total is None else self._total

    def _report_bars(self, *, begins: bool) -> None:
        """Report the bars of a command that draws several; those that it does not report itself, if `begins`."""
        tracked = self._progress.bars()
        if self._run is None or len(tracked) < 2:
            return
        for bar in tracked:
            if bar not in self._bars:
                if not begins:
                    continue
                progress = bar.progress
                unit = None if progress.is_percent else progress.unit
                name = progress.label or f"Bar {len(self._bars) + 1}"
                self._bars[bar] = self._run.add_bar(None, name, unit, _source(bar))
            if bar.progress.is_full:
                self._bars[bar].end(COMPLETED)
            elif bar.is_over:
                self._bars[bar].end(STOPPED)

    def _error(self, summary: str) -> str:
        """Append the last lines of standard error, or of standard output if that is empty."""
        kept: list[str] = []
        remaining = MAX_ERROR_CHARACTERS - len(summary)
        for line in reversed(self._outputs[STDERR].last_lines or self._outputs[STDOUT].last_lines):
            remaining -= len(line) + 1
            if remaining < 0:
                kept = kept or [text(line, MAX_ERROR_CHARACTERS - len(summary) - 1)]
                break
            kept.append(line)
        return "\n".join([summary, *reversed(kept)])


def _source(bar: TrackedBar) -> ProgressSource:
    return lambda: (bar.progress.done, bar.progress.total)


def _print_start_error(command: Sequence[str], error: OSError) -> int:
    """Print why a command did not start; return the exit code of a shell."""
    if isinstance(error, FileNotFoundError):
        print(f"livewatch: {command[0]}: command not found; check its spelling and PATH.", file=sys.stderr)
        return ExitCode.NOT_FOUND
    print(f"livewatch: {command[0]}: not executable: {error.strerror}.", file=sys.stderr)
    return ExitCode.NOT_EXECUTABLE


def _title(command: Sequence[str]) -> str:
    """Name the script that an interpreter runs, else the program; never arguments, which may be secrets."""
    script = next((each for each in command[1:2] if Path(each).is_file()), command[0])
    return Path(script).name


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, hours = divmod(round(seconds), 3600)[1] // 60, round(seconds) // 3600
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {round(seconds) % 60} s"
