"""Pytest plugin that shortens each failure to its cause and last lines, 60 lines at most."""

from collections.abc import Generator, Iterable

import pytest
from _pytest._code.code import ExceptionChainRepr, ReprEntryNative, ReprFileLocation, ReprTraceback

TRACE_LINES = 20
HEAD_LINES = 4
CAUSE_LINES = 8
OUTPUT_LINES = 30
MAX_LINE_LENGTH = 300
OUTPUTS = ("Captured log", "Captured stderr", "Captured stdout")
"""Order of the output sections when not all of them fit."""


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Shorten the report of each phase of a test, in the process that ran it."""
    report = yield
    trim(report)
    return report


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Shorten the report of a module that cannot be imported."""
    report = yield
    trim(report)
    return report


def trim(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Cut a failed report's traceback to 20 lines, and its output to the last 30 of the phase that failed."""
    if report.failed:
        report.longrepr = trimmed_traceback(report)
        phase = report.when if isinstance(report, pytest.TestReport) else ""
        report.sections = list(last_lines(report.sections, phase))
    elif report.when == "teardown":
        # Otherwise it would be printed with the previous failure.
        report.sections = []


def trimmed_traceback(report: pytest.TestReport | pytest.CollectReport) -> ExceptionChainRepr:
    """Return the first lines and those around the cause, in a form that xdist can serialize."""
    lines = [line[:MAX_LINE_LENGTH] for line in report.longreprtext.splitlines()]
    if len(lines) > TRACE_LINES:
        end = min(len(lines), _cause(lines) + CAUSE_LINES)
        start = max(HEAD_LINES, end - (TRACE_LINES - HEAD_LINES - 2))
        left_out = f"… {start - HEAD_LINES} lines here and {len(lines) - end} at the end are left out …"
        lines = [*lines[:HEAD_LINES], left_out, *lines[start:end]]
    trace = ReprTraceback([ReprEntryNative(["\n".join(lines) + "\n"])], None, style="native")
    return ExceptionChainRepr([(trace, _crash(report, lines), None)])


def _cause(lines: list[str]) -> int:
    """Return the index of the last exception's message, whose lines are marked by an E."""
    marked = {index for index, line in enumerate(lines) if line.startswith("E ")}
    return max((index for index in marked if index - 1 not in marked), default=len(lines))


def last_lines(sections: Iterable[tuple[str, str]], phase: str) -> Iterable[tuple[str, str]]:
    """Return the last lines of the logs and the output of one phase; logs first if not all fit."""
    left = OUTPUT_LINES
    mine = [(title, text) for title, text in sections if title.endswith(phase)]
    for kind in OUTPUTS:
        for title, text in mine:
            lines = text.rstrip().splitlines()
            if title.startswith(kind) and lines and left:
                yield title, "\n".join(line[:MAX_LINE_LENGTH] for line in lines[-left:])
                left -= min(left, len(lines))


def _crash(report: pytest.TestReport | pytest.CollectReport, lines: list[str]) -> ReprFileLocation:
    """Location of the failure, with one line for the final summary."""
    crash = getattr(report.longrepr, "reprcrash", None)
    if crash is None:
        return ReprFileLocation(path=report.nodeid, lineno=0, message=lines[-1] if lines else "")
    return ReprFileLocation(
        path=crash.path, lineno=crash.lineno, message=crash.message.split("\n", 1)[0][:MAX_LINE_LENGTH]
    )
