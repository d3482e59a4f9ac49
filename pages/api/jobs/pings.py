"""Endpoints of pings: what a line of `curl` tells of a job's run."""

import re
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from fastapi.responses import JSONResponse, Response

from pages.api import responses
from pages.api.operations import RUN_PAGES
from pages.api.requests import Key, Slug, decoded
from pages.page.bodies import read_at_most
from services.errors import IngestRefused
from services.ingest import Answer, Code, Ingest, IngestKey, Operation, Target, Verb

MAX_BODY_BYTES = 100_000
MAX_LINE_CHARACTERS = 2000
MAX_LINES = 500
MAX_EXIT_STATUS = 255
SIGNALS = {"start": "start", "fail": "fail", "log": "log"}
METHODS = ("GET", "POST", "HEAD")
ABOUT = (
    "`start` begins a run, nothing ends it as completed, `fail` as failed, `log` adds lines, and an exit status ends "
    "it as completed if it is 0. A body of at most 100 KB is kept as lines of the run's log. Without `start` before "
    "it, an end is a run of its own. Needs the scope `runs`."
)
CREATED: dict[int | str, dict[str, Any]] = {201: {"model": responses.WriteResult, "description": "Began a run."}}

Signal = Annotated[str, Path(description="start, fail, log, or an exit status from 0 to 255.", examples=["start"])]
_EXIT_STATUS = re.compile(r"[0-9]{1,3}")
# Escape sequences of a terminal stay, since logs show them; other control characters do not.
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f]")


def add_ping_routes(router: APIRouter) -> None:
    """Add the endpoints of pings, by every method that `curl` and `wget` send."""

    async def ping(slug: Slug, key: Key, request: Request) -> Response:
        return await _apply(request, key, slug, "success", None)

    async def ping_signal(slug: Slug, signal: Signal, key: Key, request: Request) -> Response:
        return await _apply(request, key, slug, *_signal_of(signal))

    for path, endpoint, summary in (
        ("/ping/{slug}", ping, "Ping: a run has succeeded"),
        ("/ping/{slug}/{signal}", ping_signal, "Ping: a run begins, fails, logs or exits"),
    ):
        for method in METHODS:
            router.add_api_route(
                path,
                endpoint,
                methods=[method],
                response_model=responses.WriteResult,
                responses=CREATED,
                summary=summary,
                description=ABOUT,
                include_in_schema=method == "POST",
                name=f"{method} {path}",
            )


async def _apply(request: Request, key: IngestKey, slug: str, signal: str, status: int | None) -> Response:
    body: dict[str, Any] = {"signal": signal}
    raw = await read_at_most(MAX_BODY_BYTES, request, _too_large)
    if lines := lines_of(decoded(raw, request.headers.get("content-encoding", ""))):
        body["lines"] = [{"message": line} for line in lines]
    if status:
        body["error"] = f"Exit status {status}"
    ingest: Ingest = request.app.state.ingest
    operation = Operation(target=Target.STREAMS, verb=Verb.PING, slug=slug, body=body)
    (outcome,) = await ingest.apply(key, [operation], request.state.timing)
    if isinstance(outcome, IngestRefused):
        raise outcome
    return _answer(slug, outcome)


def _answer(slug: str, outcome: Answer) -> Response:
    url = RUN_PAGES[Target.STREAMS].format(id=outcome.id)
    content = {"id": str(outcome.id), "slug": slug, "created": outcome.is_new, "url": url}
    return JSONResponse(content, 201 if outcome.is_new else 200)


def _too_large() -> IngestRefused:
    return IngestRefused(
        Code.TOO_LARGE, "The body is larger than 100 KB. Send its end, for instance with `tail --bytes=100000`."
    )


def _signal_of(given: str) -> tuple[str, int | None]:
    if given in SIGNALS:
        return SIGNALS[given], None
    if _EXIT_STATUS.fullmatch(given) and int(given) <= MAX_EXIT_STATUS:
        return ("success" if int(given) == 0 else "fail"), int(given)
    raise IngestRefused(
        Code.INVALID,
        f'signal is "{given[:60]}": use start, fail, log or an exit status from 0 to {MAX_EXIT_STATUS}.',
        field="signal",
    )


def lines_of(body: bytes) -> list[str]:
    """Return a body as lines of a log; of more than 500 the last line says how many are left out."""
    text = _CONTROLS.sub("", body.decode("utf-8", "replace").replace("\r\n", "\n"))
    lines = [
        line[start : start + MAX_LINE_CHARACTERS]
        for line in text.rstrip("\n").split("\n")
        for start in range(0, max(1, len(line)), MAX_LINE_CHARACTERS)
    ]
    if lines == [""]:
        return []
    if len(lines) > MAX_LINES:
        # The end of an output says what went wrong.
        left_out = len(lines) - MAX_LINES + 1
        lines = [f"({left_out} lines before this one are left out.)", *lines[left_out:]]
    return lines
