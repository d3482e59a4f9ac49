"""Failures that can be read: a pytest plugin that trims each to its cause and its last lines, 60 in all at most."""

from collections.abc import Generator, Iterable

import pytest
from _pytest._code.code import ExceptionChainRepr, ReprEntryNative, ReprFileLocation, ReprTraceback

TRACE_LINES = 20
HEAD_LINES = 4
CAUSE_LINES = 8
OUTPUT_LINES = 30
MAX_LINE_LENGTH = 300
OUTPUTS = ("Captured log", "Captured stderr", "Captured stdout")
"""Which output comes first when there is more than fits."""


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Trim the report of each phase of a test, in the process that ran it."""
    report = yield
    trim(report)
    return report


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Trim the report of a module that cannot be imported."""
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
        # It would be printed with the failure that came before.
        report.sections = []


def trimmed_traceback(report: pytest.TestReport | pytest.CollectReport) -> ExceptionChainRepr:
    """The first lines, and those around the beginning of the cause; as a representation that xdist can pass on."""
    lines = [line[:MAX_LINE_LENGTH] for line in report.longreprtext.splitlines()]
    if len(lines) > TRACE_LINES:
        end = min(len(lines), _cause(lines) + CAUSE_LINES)
        start = max(HEAD_LINES, end - (TRACE_LINES - HEAD_LINES - 2))
        left_out = f"… {start - HEAD_LINES} lines here and {len(lines) - end} at the end are left out …"
        lines = [*lines[:HEAD_LINES], left_out, *lines[start:end]]
    trace = ReprTraceback([ReprEntryNative(["\n".join(lines) + "\n"])], None, style="native")
    return ExceptionChainRepr([(trace, _crash(report, lines), None)])


def _cause(lines: list[str]) -> int:
    """Where the message of the last exception begins: its lines are marked by an E."""
    marked = {index for index, line in enumerate(lines) if line.startswith("E ")}
    return max((index for index in marked if index - 1 not in marked), default=len(lines))


def last_lines(sections: Iterable[tuple[str, str]], phase: str) -> Iterable[tuple[str, str]]:
    """The last lines of what was logged and printed in one phase; the logs first where not all fits."""
    left = OUTPUT_LINES
    mine = [(title, text) for title, text in sections if title.endswith(phase)]
    for kind in OUTPUTS:
        for title, text in mine:
            lines = text.rstrip().splitlines()
            if title.startswith(kind) and lines and left:
                yield title, "\n".join(line[:MAX_LINE_LENGTH] for line in lines[-left:])
                left -= min(left, len(lines))


def _crash(report: pytest.TestReport | pytest.CollectReport, lines: list[str]) -> ReprFileLocation:
    """Where it failed, with one line for the summary at the end."""
    crash = getattr(report.longrepr, "reprcrash", None)
    if crash is None:
        return ReprFileLocation(path=report.nodeid, lineno=0, message=lines[-1] if lines else "")
    return ReprFileLocation(
        path=crash.path, lineno=crash.lineno, message=crash.message.split("\n", 1)[0][:MAX_LINE_LENGTH]
    )
