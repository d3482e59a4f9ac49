"""A fake ingest API that keeps writes in memory and fails on request."""

import json
import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum, auto
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

KEY = "lw_0123456789ab_secretsecretsecret"
API = "/api/v1"


class Fault(Enum):
    """A failure of the next request."""

    RATE = auto()
    BROKEN = auto()
    AWAY = auto()
    CUT_BEFORE = auto()
    CUT_AFTER = auto()
    HANG = auto()


@dataclass(frozen=True)
class Write:
    """A write that the server carried out."""

    method: str
    path: str
    body: dict[str, Any]
    key: str
    at: float


@dataclass(eq=False)
class ApiServer:
    """`writes` are the writes carried out, in order; `requests` the bodies of all requests, failed ones included.

    Repeated idempotency keys get the first answer, as the API specifies.
    """

    url: str = ""
    writes: list[Write] = field(default_factory=list)
    requests: list[dict[str, Any]] = field(default_factory=list)
    ages: list[float] = field(default_factory=list)
    beats: list[tuple[float, list[str]]] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    # Status for an operation that is rejected.
    refuse: Callable[[str, dict[str, Any]], int | None] = lambda path, body: None
    refuse_batch: Callable[[list[dict[str, Any]]], int | None] = lambda operations: None
    after_request: Callable[[], None] = lambda: None
    key: str = KEY
    # Whether a key other than `key` is accepted.
    accepts: Callable[[str], bool] = lambda token: False
    organization: str = "Ada's"
    hang: float = 30.0
    # Items of lists by path.
    lists: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    # What followers of the feed said that they had last.
    last_event_ids: list[str | None] = field(default_factory=list)
    # The lines of the feed; None ends an answer.
    feed: "queue.SimpleQueue[str | None]" = field(default_factory=queue.SimpleQueue)
    stopping: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._answers: dict[str, tuple[str, dict[str, Any]]] = {}
        self._known: set[str] = set()
        self._finished: set[str] = set()
        self._reporters: dict[str, set[str]] = {}

    def of(self, path: str) -> list[Write]:
        return [write for write in self.writes if write.path == path]

    def state(self, path: str) -> dict[str, Any]:
        """Merge all writes to a run, the newest last, with what ended it as `end`; adds `advance` up."""
        merged: dict[str, Any] = {}
        count = "targets_analyzed" if path.startswith("/scans/") else "completed"
        for write in self.of(path):
            merged |= write.body
            merged.setdefault("total", merged.pop("default_total", None))
            if "percent" in write.body:
                merged[count] = (merged["total"] or 100) * merged.pop("percent") / 100
            if "advance" in write.body:
                merged[count] = merged.get(count, 0) + merged.pop("advance")
        for write in self.of(f"{path}/finish"):
            merged["end"] = {name: value for name, value in write.body.items() if name != "elapsed"}
        return {name: value for name, value in merged.items() if value is not None}

    def only(self, kind: str) -> dict[str, Any]:
        """Return the state of the only run of a kind."""
        (path,) = {write.path for write in self.writes if write.path.startswith(f"/{kind}/") and write.method == "PUT"}
        return self.state(path) | {"slug": path.rpartition("/")[2]}

    def ask(  # noqa: PLR0911
        self, method: str, path: str, body: dict[str, Any]
    ) -> tuple[int, dict[str, Any]]:
        """Carry out a request; return status and body."""
        if (method, path) == ("GET", "/me"):
            organization, key = {"id": "o1", "name": self.organization}, {"id": "k1", "name": "ada@laptop"}
            return 200, {"organization": organization, "key": key, "scopes": ["runs"], "url": self.url}
        if method == "GET" and (items := self.lists.get(path.partition("?")[0])) is not None:
            return 200, {"items": items, "next": None}
        if path.startswith("/artefacts?"):
            return self._store(path, body)
        if (method, path) != ("POST", "/batch"):
            return 404, error("not_found", f"nothing is at {path}")
        operations = body["operations"]
        if len(operations) > 500:
            return 422, error("invalid", "at most 500 operations")
        if status := self.refuse_batch(operations):
            return status, error("malformed", "the batch is refused")
        with self._lock:
            return 200, {"results": [self._apply(operation) for operation in operations]}

    def _store(self, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        given = body | dict(parse_qsl(urlsplit(path).query))
        if given["run"] not in self._known:
            return 404, error("not_found", "no such run")
        if status := self.refuse("/artefacts", given):
            return status, error("invalid", "it is refused")
        self.writes.append(Write("POST", "/artefacts", given, "", time.monotonic()))
        return 201, {"id": "a1"}

    def _apply(self, operation: dict[str, Any]) -> dict[str, Any]:
        key, path, body = operation["idempotency_key"], operation["path"], operation["body"]
        told = json.dumps([operation["method"], path, body])
        if key in self._answers:
            before, answer = self._answers[key]
            return answer if before == told else result(409, error("idempotency_conflict", "another body"))
        if status := self.refuse(path, body):
            return result(status, error("invalid", "it is refused"))
        self.ages.append(operation["age"])
        is_tidying = operation["method"] == "DELETE" or path.endswith(("/archive", "/unarchive"))
        carry_out = self._tidy_up if is_tidying else self._carry_out
        answer = carry_out(operation["method"], path, body, key)
        if answer["status"] < 300:
            self._answers[key] = told, answer
        return answer

    def _carry_out(self, method: str, path: str, body: dict[str, Any], key: str) -> dict[str, Any]:
        kind, _, rest = path[1:].partition("/")
        slug, _, verb = rest.partition("/")
        run = f"{kind}/{slug}"
        if path == "/heartbeats":
            if unknown := set(body["runs"]) - self._known:
                return result(404, error("not_found", f"no {unknown}"))
            self.beats.append((time.monotonic(), body["runs"]))
            return result(200, {})
        is_run = kind in ("streams", "scans", "agents")
        if run in self._finished and method == "PUT" and "@" not in slug and body.get("begins", True):
            self._finished.discard(run)
        if run in self._finished:
            return result(409, error("finished", "use a new key"))
        if (verb and run not in self._known) or (path in ("/logs", "/metrics") and body["run"] not in self._known):
            return result(404, error("not_found", "no such run"))
        if not is_run and path not in ("/logs", "/metrics", "/alerts", "/notifications"):
            return result(404, error("not_found", path))
        reporter = body.get("reporter")
        body = {name: value for name, value in body.items() if name != "reporter"}
        if not is_run or self._is_effective(run, verb in ("finish", "close"), reporter):
            self.writes.append(Write(method, path, body, key, time.monotonic()))
        return result(200, {"slug": slug})

    def _tidy_up(self, method: str, path: str, body: dict[str, Any], key: str) -> dict[str, Any]:
        """Archive or delete a run, finished or not."""
        run = path[1:].removesuffix("/unarchive").removesuffix("/archive")
        if run not in self._known:
            return result(404, error("not_found", f"There is no {run}."))
        if method == "DELETE":
            self._known.discard(run)
            self._finished.discard(run)
        self.writes.append(Write(method, path, body, key, time.monotonic()))
        return result(200, {"slug": run.partition("/")[2]})

    def _is_effective(self, run: str, is_finish: bool, reporter: str | None) -> bool:
        """Record a report; return False for the finish of a process while others report the run."""
        self._known.add(run)
        reporters = self._reporters.setdefault(run, set())
        if not is_finish:
            reporters |= {reporter} if reporter else set()
            return True
        reporters.discard(reporter or "")
        if reporter and reporters:
            return False
        self._finished.add(run)
        return True


def result(status: int, body: dict[str, Any]) -> dict[str, Any]:
    return {"status": status, "body": body}


def error(code: str, message: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": message}}


@contextmanager
def serving(server: ApiServer, *, port: int = 0) -> Iterator[ApiServer]:
    """Serve on a free port, or on a given one."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if self.path == f"{API}/feed" and self.headers.get("Authorization") == f"Bearer {server.key}":
                self._serve_feed()
            else:
                self._handle("GET")

        def _serve_feed(self) -> None:
            self.close_connection = True
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.end_headers()
            self.wfile.write(b": connected\n\n")
            server.last_event_ids.append(self.headers.get("Last-Event-ID"))
            server.requests.append({"feed": True})
            while not server.stopping.is_set():
                try:
                    line = server.feed.get(timeout=0.02)
                except queue.Empty:
                    continue
                if line is None:
                    return
                self.wfile.write(f"{line}\n".encode())

        def do_POST(self) -> None:
            self._handle("POST")

        def _handle(self, method: str) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            is_artefact = self.path.startswith(f"{API}/artefacts?")
            body = {"content": raw} if is_artefact else json.loads(raw) if raw else {}
            server.requests.append(body)
            fault = server.faults.pop(0) if server.faults else None
            if fault is Fault.CUT_BEFORE:
                self.close_connection = True
                return
            if fault is Fault.HANG:
                server.stopping.wait(server.hang)
                self.close_connection = True
                return
            status, headers, answer = self._answer(method, body, fault)
            server.after_request()
            if fault is Fault.CUT_AFTER:
                self.close_connection = True
                return
            content = json.dumps(answer).encode()
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def _answer(
            self, method: str, body: dict[str, Any], fault: Fault | None
        ) -> tuple[int, dict[str, str], dict[str, Any]]:
            if fault is Fault.RATE:
                return 429, {"Retry-After": "1"}, error("rate", "slower")
            if fault is Fault.BROKEN:
                return 500, {}, error("internal", "broken")
            if fault is Fault.AWAY:
                return 503, {"Retry-After": "1"}, error("unavailable", "away")
            if not self.path.startswith(API):
                return 404, {}, {}
            token = self.headers.get("Authorization", "").removeprefix("Bearer ")
            if token != server.key and not server.accepts(token):
                return 401, {}, error("bad_key", "The key is unknown or revoked.")
            status, answer = server.ask(method, self.path.removeprefix(API), body)
            return status, {}, answer

        def log_message(self, format: str, *args: object) -> None: ...

    class Listener(ThreadingHTTPServer):
        daemon_threads = True
        allow_reuse_address = True

        def handle_error(self, request: object, client_address: object) -> None: ...

    listener = Listener(("127.0.0.1", port), Handler)
    server.url = f"http://127.0.0.1:{listener.server_address[1]}"
    server.stopping.clear()
    thread = threading.Thread(target=listener.serve_forever, args=(0.02,), name="api server")
    thread.start()
    try:
        yield server
    finally:
        server.stopping.set()
        listener.shutdown()
        listener.server_close()
        thread.join()
