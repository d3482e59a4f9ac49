"""`LocalSupabase`: a child process that is started, supervised and stopped by an asyncio program."""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import structlog

from local_supabase.child import (
    DEFAULT_SITE_URL,
    DEFAULT_TOKEN_LIFETIME_SECONDS,
    LOOPBACK,
    START_TIMEOUT_SECONDS,
    STOP_TIMEOUT_SECONDS,
    OidcOptions,
    Options,
    Step,
    environment,
)
from local_supabase.errors import LocalSupabaseError, StartError
from local_supabase.retry import Backoff
from local_supabase.status import LocalSupabaseStatus

log = structlog.get_logger()

OnStep = Callable[[Step], None]


class LocalSupabase:
    """A running child process; it stops with this process, even if this process is killed.

    If the child exits unexpectedly it is restarted on the same port, with exponential backoff and without a limit on
    the number of attempts.
    """

    def __init__(self, options: Options, on_step: OnStep) -> None:
        self._options = options
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
        migrations: Path | None = None,
        user: str | None = None,
        app_role: str | None = None,
        host: str = LOOPBACK,
        allowed_hosts: tuple[str, ...] = (),
        port: int = 0,
        reset: bool = False,
        token_lifetime: int = DEFAULT_TOKEN_LIFETIME_SECONDS,
        site_url: str = DEFAULT_SITE_URL,
        jwt_secret: str | None = None,
        external_url: str | None = None,
        oidc: OidcOptions | None = None,
        smtp_url: str | None = None,
        mail_link: str | None = None,
        disable_signup: bool = False,
        limits: Mapping[str, float] | None = None,
        on_step: OnStep | None = None,
    ) -> AsyncIterator["LocalSupabase"]:
        """Start the child, yield once it is ready, and stop it on exit.

        Args:
            data: data directory, created if necessary.
            migrations: folder with `<timestamp>_name.sql` files; None for none.
            user: e-mail address of a confirmed user to create on the first start.
            app_role: role of the migrations that gets a password, to log in.
            host: address to listen on.
            allowed_hosts: names under which clients reach the API, besides loopback names and addresses.
            port: port to listen on; 0 chooses a free one.
            reset: delete the database, users and keys first.
            token_lifetime: lifetime of access tokens in seconds.
            site_url: address of the application, to which links of e-mails lead.
            jwt_secret: secret of tokens that the project signs itself (HS256).
            external_url: address at which browsers reach Auth; None for the listen address.
            oidc: an external OpenID Connect provider.
            smtp_url: mail server; None to append mails to a file.
            mail_link: template of the links in mails; None for links to Auth itself.
            disable_signup: whether only the service role makes accounts.
            limits: Realtime limits by name.
            on_step: called on the event loop for each finished step of each start.

        Raises:
            StartError: the child reported an error, exited, or was not ready in time.
        """
        options = Options(
            data=data,
            migrations=migrations,
            host=host,
            allowed_hosts=allowed_hosts,
            port=port,
            user=user,
            app_role=app_role,
            reset=reset,
            token_lifetime=token_lifetime,
            site_url=site_url,
            jwt_secret=jwt_secret,
            external_url=external_url,
            oidc=oidc,
            smtp_url=smtp_url,
            mail_link=mail_link,
            disable_signup=disable_signup,
            limits=limits or {},
        )
        local = cls(options, on_step or (lambda step: None))
        try:
            await local._launch()
            local._supervise()
            yield local
        finally:
            await local.stop()

    @property
    def status(self) -> LocalSupabaseStatus:
        """Addresses and keys; stable over restarts, except for `pid` and `started_at`."""
        if self._status is None:
            raise StartError("The local Supabase has not been started.")
        return self._status

    @property
    def pid(self) -> int | None:
        """Process id of the child, None while it is down."""
        process = self._process
        return process.pid if process and process.returncode is None else None

    async def restart(self) -> None:
        """Stop the child and start it again on the same port; raises StartError."""
        async with self._lock:
            await self._stop_supervision()
            await self._stop_process()
            await self._launch()
            self._supervise()

    async def stop(self) -> None:
        """Stop the child and wait for its end; idempotent."""
        async with self._lock:
            await self._stop_supervision()
            await self._stop_process()

    async def _launch(self) -> None:
        process = await asyncio.create_subprocess_exec(
            *self._options.command(),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env=environment(self._options),
            # A new session: Ctrl-C in a terminal then reaches only the parent, which stops the child in order.
            start_new_session=sys.platform != "win32",
        )
        self._process = process
        try:
            async with asyncio.timeout(START_TIMEOUT_SECONDS):
                await self._wait_until_ready(process)
        except TimeoutError as error:
            await self._stop_process()
            raise StartError(f"The local Supabase was not ready after {START_TIMEOUT_SECONDS:.0f} s.") from error
        except BaseException:
            await self._stop_process()
            raise
        self._status = LocalSupabaseStatus.read(self._options.data)
        # Clients expect a restarted server on the same port, and with the data that they wrote after the reset.
        port = urlsplit(self._status.api_url).port or self._options.port
        self._options = replace(self._options, port=port, reset=False)

    async def _wait_until_ready(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        failure = ""
        async for line in process.stdout:
            step = Step.parse(line)
            if step is None:
                continue
            self._on_step(step)
            if step.name == "error":
                failure = step.text
            if step.name == "ready":
                return
        code = await process.wait()
        raise StartError(failure or f"The local Supabase exited while starting (exit code {code}).")

    def _supervise(self) -> None:
        self._supervision = asyncio.create_task(self._keep_running(), name="local-supabase-supervision")

    async def _keep_running(self) -> None:
        backoff = Backoff(initial=0.2, maximum=10.0)
        while True:
            if self._process is not None:
                code = await self._process.wait()
                log.error("local supabase exited, restarting", exit_code=code, delay=backoff.delay)
            await backoff.sleep()
            try:
                await self._launch()
            except (LocalSupabaseError, OSError) as error:
                log.error("local supabase could not be restarted", error=str(error))

    async def _stop_supervision(self) -> None:
        task, self._supervision = self._supervision, None
        if task:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _stop_process(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            try:
                async with asyncio.timeout(STOP_TIMEOUT_SECONDS):
                    await process.wait()
            except TimeoutError:
                log.error("local supabase did not stop in time, killing it", pid=process.pid)
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        if process.stdin:
            process.stdin.close()
        if process.stdout:
            await process.stdout.read()
