"""The parent's side: starts a local Supabase as a child process, watches over it, and stops it."""

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

import structlog

from local_supabase.errors import LocalSupabaseError, StartError
from local_supabase.status import LocalSupabaseStatus

log = structlog.get_logger()

ROOT = Path(__file__).resolve().parents[1]
START_TIMEOUT = 180.0
STOP_TIMEOUT = 30.0
FIRST_BACKOFF = 0.2
LONGEST_BACKOFF = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One finished step of a start: `postgres`, `migrations`, `auth`, `realtime`, `ready`; or `error`."""

    name: str
    seconds: float
    text: str


OnStep = Callable[[Step], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Command:
    data: Path
    migrations: Path
    host: str
    port: int
    user: str | None
    app_role: str | None
    reset: bool
    token_lifetime: int
    limits: Mapping[str, float]

    def arguments(self) -> list[str]:
        parts = ["--data", str(self.data), "--migrations", str(self.migrations)]
        parts += ["--host", self.host, "--port", str(self.port), "--events", "--die-with-parent"]
        parts += ["--user", self.user] if self.user else []
        parts += ["--app-role", self.app_role] if self.app_role else []
        parts += ["--token-lifetime", str(self.token_lifetime)]
        parts += [part for name, value in self.limits.items() for part in ("--limit", f"{name}={value}")]
        return [*parts, "--reset"] if self.reset else parts


class LocalSupabase:
    """A running child process. It dies with this process, also when this one is killed.

    When it ends unasked it is started again, on the same port, with growing pauses and without end.
    """

    def __init__(self, command: _Command, on_step: OnStep) -> None:
        self._command = command
        self._on_step = on_step
        self._process: asyncio.subprocess.Process | None = None
        self._status: LocalSupabaseStatus | None = None
        self._supervision: asyncio.Task[None] | None = None
        self._lock = asyncio.Lock()

    @classmethod
    @asynccontextmanager
    async def start(
        cls,
        *,
        data: Path,
        migrations: Path,
        user: str | None = None,
        app_role: str | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        reset: bool = False,
        token_lifetime: int = 3600,
        limits: Mapping[str, float] | None = None,
        on_step: OnStep | None = None,
    ) -> AsyncIterator["LocalSupabase"]:
        """Yield once it is ready; stop it at the end.

        `on_step` is called on the event loop, `reset` empties the data first, `limits` are those of Realtime by name,
        `token_lifetime` is in seconds. Raises StartError with the child's own sentence when it cannot start.
        """
        command = _Command(
            data=_absolute(data),
            migrations=_absolute(migrations),
            host=host,
            port=port,
            user=user,
            app_role=app_role,
            reset=reset,
            token_lifetime=token_lifetime,
            limits=limits or {},
        )
        local = cls(command, on_step or (lambda step: None))
        try:
            await local._launch()
            local._supervise()
            yield local
        finally:
            await local.stop()

    @property
    def status(self) -> LocalSupabaseStatus:
        """Addresses and keys; stable over restarts, except `pid` and `started_at`."""
        if self._status is None:
            raise StartError("The local Supabase is not started yet.")
        return self._status

    @property
    def pid(self) -> int | None:
        """The child's process id, None while it is down."""
        process = self._process
        return process.pid if process and process.returncode is None else None

    async def restart(self) -> None:
        """Stop in order and start again on the same port; raises StartError."""
        async with self._lock:
            await self._end_supervision()
            await self._end_process()
            await self._launch()
            self._supervise()

    async def stop(self) -> None:
        """Stop in order; idempotent."""
        async with self._lock:
            await self._end_supervision()
            await self._end_process()

    async def _launch(self) -> None:
        environment = dict(os.environ)
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), environment.get("PYTHONPATH")]))
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "local_supabase",
            *self._command.arguments(),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env=environment,
            # Ctrl-C in the terminal reaches the parent alone, which then stops its child in order.
            start_new_session=sys.platform != "win32",
        )
        self._process = process
        try:
            async with asyncio.timeout(START_TIMEOUT):
                await self._wait_until_ready(process)
        except TimeoutError as error:
            await self._end_process()
            raise StartError(f"The local Supabase was not ready after {START_TIMEOUT:.0f} s.") from error
        except BaseException:
            await self._end_process()
            raise
        self._status = LocalSupabaseStatus.read(self._command.data)
        # A restart must come back where the clients expect it, and must not empty what the first start emptied.
        port = urlsplit(self._status.api_url).port or self._command.port
        self._command = replace(self._command, port=port, reset=False)

    async def _wait_until_ready(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        failure = ""
        async for line in process.stdout:
            step = _step(line)
            if step is None:
                continue
            self._on_step(step)
            if step.name == "error":
                failure = step.text
            if step.name == "ready":
                return
        code = await process.wait()
        raise StartError(failure or f"The local Supabase ended while starting (exit code {code}).")

    def _supervise(self) -> None:
        self._supervision = asyncio.create_task(self._keep_running(), name="local-supabase-supervision")

    async def _keep_running(self) -> None:
        backoff = FIRST_BACKOFF
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            if self._process is not None:
                code = await self._process.wait()
                log.error("the local Supabase ended and is started again", exit_code=code, pause=backoff)
            if loop.time() - began > LONGEST_BACKOFF:
                backoff = FIRST_BACKOFF
            await asyncio.sleep(backoff)
            backoff = min(backoff * 2, LONGEST_BACKOFF)
            try:
                await self._launch()
            except (LocalSupabaseError, OSError) as error:
                log.error("the local Supabase could not be started again", error=str(error))

    async def _end_supervision(self) -> None:
        task, self._supervision = self._supervision, None
        if task:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _end_process(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            try:
                async with asyncio.timeout(STOP_TIMEOUT):
                    await process.wait()
            except TimeoutError:
                log.error("the local Supabase does not stop and is killed", pid=process.pid)
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        if process.stdin:
            process.stdin.close()
        if process.stdout:
            await process.stdout.read()


def _step(line: bytes) -> Step | None:
    try:
        event = json.loads(line)
        return Step(name=str(event["step"]), seconds=float(event["seconds"]), text=str(event["text"]))
    except (ValueError, KeyError, TypeError):
        return None


def _absolute(path: Path) -> Path:
    return path.expanduser().absolute()
