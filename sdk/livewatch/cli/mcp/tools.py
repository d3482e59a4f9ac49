"""What an assistant may ask: runs, their logs, and the evidence of a failure; and what it may do."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any, Literal

from livewatch.api.errors import NotFoundError
from livewatch.api.requests import Requests, Value, path_of
from livewatch.cli.escapes import plain

Kind = Literal["streams", "scans", "agents"]
Level = Literal["debug", "info", "warning", "error", "critical"]
Handling = Literal["taken", "resolved", "open"]

SEVERE = ("warning", "error", "critical")
FAILED = {"streams": "blocked", "scans": "failed", "agents": "failed"}
LAST_LINES = 30
SEVERE_LINES = 20
MAX_CHILDREN = 10
MAX_COMMENTS = 10
MAX_ITEMS = 200
MAX_TEXT = 4000
"""Characters of one text, such as a line of a log: a program may write megabytes."""


class Tools:
    """The tools, which return JSON; errors of the API say what to do.

    Args:
        requests: Sends requests with a key of the scope `read`; `acknowledge` needs the scope `commands`.
    """

    def __init__(self, requests: Requests) -> None:
        self._requests = requests
        # Tools run in threads, and a connection serves one at a time.
        self._lock = threading.Lock()

    def list_runs(
        self,
        *,
        kind: Kind = "streams",
        status: str | None = None,
        search: str | None = None,
        job: str | None = None,
        tag: str | None = None,
        since: str | None = None,
        limit: int = 20,
    ) -> dict[str, Any]:
        """List runs, the latest first.

        Args:
            kind: streams (jobs and their progress), scans, or agents (runs of AI agents).
            status: One status or several between commas. Streams: not_started, in_progress, on_track, at_risk, blocked
                (failed), completed, stopped, cancelled. Scans and agents: failed, completed and others. Also stalled
                and unreachable.
            search: Words that a run contains.
            job: Slug of the job whose runs are wanted.
            tag: Tags that a run has, between commas.
            since: Only runs created from then on: ISO 8601, such as 2026-01-31T10:00:00Z.
            limit: At most so many, up to 200.
        """
        parameters: dict[str, Value] = {
            "status": status, "q": search, "job": job, "tag": tag, "since": since, "limit": _count(limit),
        }  # fmt: skip
        page = self._get(path_of(kind), parameters)
        return {"runs": [self._shown(each) for each in page["items"]], "has_more": page["next"] is not None}

    def show_run(self, run: str, kind: Kind = "streams") -> dict[str, Any]:
        """Show one run: status, progress, times, error, attempts, environment.

        Args:
            run: Slug of a job for its newest run, job@number for another one, or an id.
            kind: streams, scans or agents.
        """
        return self._shown(self._run(kind, run))

    def search_logs(
        self,
        *,
        text: str = "",
        is_regex: bool = False,
        level: Level = "debug",
        job: str | None = None,
        since: str | None = None,
        until: str | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> dict[str, Any]:
        """Search in the logs of all runs, the latest lines first.

        Args:
            text: Words that a line must contain, those between double quotes as one; or a regular expression.
            is_regex: Whether text is a regular expression.
            level: Least level of the lines.
            job: Only the latest 50 runs of a job: its kind and slug, such as streams/nightly.
            since: Only from then on: ISO 8601, or a period before now such as 24h or 7d.
            until: Only before then.
            cursor: `next` of an earlier answer, to search on.
            limit: At most so many lines, up to 200.
        """
        parameters: dict[str, Value] = {
            "q": text or None, "regex": "1" if is_regex else None, "level": level, "job": job, "since": since,
            "until": until, "cursor": cursor, "limit": _count(limit),
        }  # fmt: skip
        page = self._get(path_of("logs"), parameters)
        return {
            "lines": [self._shown(each) for each in page["items"]],
            "next": page["next"],
            "time_was_over": page["is_cut"],
        }

    def explain_failure(self, run: str, kind: Kind = "streams") -> dict[str, Any]:
        """Collect the evidence of why a run failed; it does not guess the cause.

        Returns its error and attempts, the end of its log and its warnings and errors, what people wrote about it, the
        failed agents of a stream, and what differs from the last run of its job that completed.

        Args:
            run: Slug of a job for its newest run, job@number for another one, or an id.
            kind: streams, scans or agents.
        """
        found = self._run(kind, run)
        address = found["id"]
        evidence: dict[str, Any] = {
            "run": self._shown(found),
            "last_lines": self._lines(kind, address, LAST_LINES),
            "warnings_and_errors": self._lines(kind, address, SEVERE_LINES, level=",".join(SEVERE)),
            "comments": self._comments(kind, address),
            "last_completed_run": self._last_completed(kind, found),
        }
        if kind == "streams":
            parameters: dict[str, Value] = {"stream": address, "status": FAILED["agents"], "limit": MAX_CHILDREN}
            page = self._get(path_of("agents"), parameters)
            evidence["failed_agents"] = [self._shown(each) for each in page["items"]]
        return evidence

    def acknowledge(
        self, run: str, kind: Kind = "streams", handling: Handling = "taken", note: str = ""
    ) -> dict[str, Any]:
        """Tell the team that a run is taken care of, that it is resolved, or that it is open again.

        Args:
            run: Slug of a job for its newest run, job@number for another one, or an id.
            kind: streams, scans or agents.
            handling: taken, resolved or open.
            note: What to say about it in its thread.
        """
        with self._lock:
            answer = self._requests.post(path_of(kind, run, "handling"), {"handling": handling, "note": note})
        return dict(answer)

    def _run(self, kind: Kind, run: str) -> dict[str, Any]:
        return dict(self._get(path_of(kind, run)))

    def _lines(self, kind: Kind, run: str, limit: int, *, level: str | None = None) -> list[dict[str, Any]]:
        page = self._get(path_of(kind, run, "logs"), {"order": "newest", "limit": limit, "level": level})
        return [self._shown(each) for each in reversed(page["items"])]

    def _comments(self, kind: Kind, run: str) -> list[dict[str, Any]]:
        page = self._get(path_of(kind, run, "comments"), {"order": "newest", "limit": MAX_COMMENTS})
        return [self._shown(each) for each in reversed(page["items"])]

    def _last_completed(self, kind: Kind, run: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return the last run of the job that completed before, and how its environment differs; None without one."""
        job = str(run.get("slug") or "").partition("@")[0]
        if not job:
            return None
        try:
            parameters: dict[str, Value] = {
                "job": job, "status": "completed", "until": run["created_at"], "limit": 1, "show": "current,archived",
            }  # fmt: skip
            page = self._get(path_of(kind), parameters)
            if not page["items"]:
                return None
            other = self._run(kind, page["items"][0]["id"])
        except NotFoundError:
            return None
        return {
            "run": self._shown(other),
            "environment_differs": differences(other.get("environment"), run.get("environment")),
        }

    def _get(self, path: str, parameters: Mapping[str, Value] | None = None) -> Any:
        with self._lock:
            return self._requests.get(path, parameters)

    def _shown(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Return a row without what it does not have, its texts without escape sequences, and its page's address."""
        shown = {name: _text(value) for name, value in row.items() if value not in (None, "", [], {})}
        if isinstance(row.get("url"), str):
            shown["url"] = self._requests.http.url + row["url"]
        return shown


def differences(before: Any, after: Any, path: str = "") -> list[str]:
    """Return where two values of JSON differ, as sentences: of objects their fields one by one."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        names = [*before, *(name for name in after if name not in before)]
        return [
            line
            for name in names
            for line in differences(before.get(name), after.get(name), f"{path}.{name}" if path else str(name))
        ]
    if before == after:
        return []
    return [f"{path or 'environment'}: was {_short(before)}, is {_short(after)}"]


def _short(value: Any) -> str:
    return "not known" if value is None else str(_text(value))[:200]


def _text(value: Any) -> Any:
    if isinstance(value, str):
        text = "\n".join(plain(line) for line in value.splitlines())
        return text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}… ({len(text) - MAX_TEXT:,} more characters)"
    if isinstance(value, Mapping):
        return {name: _text(each) for name, each in value.items()}
    return [_text(each) for each in value] if isinstance(value, list) else value


def _count(limit: int) -> int:
    return max(1, min(limit, MAX_ITEMS))
