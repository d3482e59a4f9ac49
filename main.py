"""Starts Livewatch: settings, a Supabase (its own or a given one), the services, the pages, the web server.

`check`, `migrate` and `demo` are commands beside it.
"""

import argparse
import asyncio
import importlib
import ipaddress
import secrets
import signal
import socket
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import uvicorn
from pydantic import SecretStr

from services.errors import ConfigurationError, LivewatchError
from services.infra.backend import Backend, open_backend
from services.infra.logging import configure
from services.settings import Settings, read_settings

if TYPE_CHECKING:
    from fastapi import FastAPI

START_TIME = time.perf_counter()
SHUTDOWN_TIMEOUT_SECONDS = 3
# For the last words to reach the windows, before their sockets are closed.
SHUTDOWN_NOTICE_SECONDS = 0.2
# What a window sends are short events.
MAX_SOCKET_BYTES = 2**20


def main(argv: list[str] | None = None) -> int:
    """Serve until Ctrl-C or SIGTERM, or do what the command says; the exit code is 1 when that could not be done."""
    arguments = arguments_of(argv)
    try:
        settings = read_settings()
        configure(settings.log_format)
        return asyncio.run(run(arguments, settings))
    except LivewatchError as error:
        done = {"serve": "did not start", "check": "was not checked"}.get(arguments.command, "did not do it")
        print(f"Livewatch {done}. {error}", file=sys.stderr)
        return 1


def arguments_of(argv: list[str] | None) -> argparse.Namespace:
    """What the command line says; without a command it is to serve."""
    parser = argparse.ArgumentParser(prog="python main.py", description="Livewatch: watch long-running work live.")
    commands = parser.add_subparsers(dest="command", metavar="command")
    commands.add_parser("serve", help="serve the app (the default)")
    commands.add_parser("check", help="look whether the Supabase project has all that the app needs")
    commands.add_parser("migrate", help="bring the project's database up to date (MIGRATE_DATABASE_URL)")
    demo = commands.add_parser("demo", help="move synthetic streams, for evaluation; Ctrl-C ends it and deletes them")
    demo.add_argument("--load", type=positive, default=50.0, metavar="N", help="changes a second (default: 50)")
    demo.add_argument("--streams", type=int, choices=range(1, 5001), default=50, metavar="N", help="1 to 5000 (50)")
    arguments = parser.parse_args(argv)
    arguments.command = arguments.command or "serve"
    return arguments


def positive(value: str) -> float:
    """A number above 0, for argparse."""
    number = float(value)
    if not 0 < number <= 10_000:
        raise argparse.ArgumentTypeError(f"{value} is not between 0 and 10,000")
    return number


async def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Do what the command line says; returns the exit code."""
    if arguments.command == "serve":
        await serve(settings)
        return 0
    # The app itself has no need of them.
    from services.operations import commands  # noqa: PLC0415
    from services.operations.synthetic_load import Load  # noqa: PLC0415

    match arguments.command:
        case "check":
            return await commands.check_command(settings)
        case "migrate":
            return await commands.migrate_command(settings)
        case _:
            load = Load(rate=arguments.load, streams=arguments.streams)
            return await commands.demo_command(settings, load)


async def serve(settings: Settings) -> None:
    """Run everything until a signal; what was started is stopped in reverse order."""
    report(f"Livewatch starts on Python {sys.version.split()[0]}")
    me = asyncio.current_task()
    assert me is not None
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(NotImplementedError):
            loop.add_signal_handler(number, me.cancel)
    async with AsyncExitStack() as stack:
        stack.callback(report, "Stopped")
        listener = stack.enter_context(listen(settings))
        # The user interface takes long to import; the local Supabase starts meanwhile.
        importing = loop.run_in_executor(None, importlib.import_module, "pages.app")
        try:
            backend = await stack.enter_async_context(open_backend(settings, report=report))
            await importing
            app, announce_end = await compose(settings, backend, own_address(listener), stack)
            await serve_http(
                app,
                listener,
                proxies=settings.proxies,
                on_stop=announce_end,
                on_ready=lambda: report(f"Ready: open {address(settings, listener)}"),
            )
        except asyncio.CancelledError:
            report("Stopping")


async def compose(
    settings: Settings, backend: Backend, own_url: str, stack: AsyncExitStack
) -> "tuple[FastAPI, Callable[[], Awaitable[None]]]":
    """Build the services and the pages over a backend; the stack closes them.

    Returns the app, and what tells its windows that it goes, and ends what reports to it at `own_url`.
    """
    from components.window.frame_scheduler import FrameScheduler  # noqa: PLC0415
    from components.window.registry import WindowRegistry  # noqa: PLC0415
    from pages.app import create_app  # noqa: PLC0415
    from pages.page.services import Services  # noqa: PLC0415
    from pages.page.session_cookie import SessionCookie  # noqa: PLC0415
    from services.auth.client import Auth  # noqa: PLC0415
    from services.auth.sessions import Sessions  # noqa: PLC0415
    from services.demo.demo import Demo  # noqa: PLC0415
    from services.demo.example_scan import ExampleScan  # noqa: PLC0415
    from services.infra.database import Database  # noqa: PLC0415
    from services.infra.rate_limiter import Rate, RateLimiter  # noqa: PLC0415
    from services.ingest import ApiKeyVerifier, EventStreamHub, Ingest  # noqa: PLC0415
    from services.operations.retention import Retention  # noqa: PLC0415
    from services.realtime import TRANSPORTS, DatabaseSource, RealtimeService  # noqa: PLC0415

    database = await stack.enter_async_context(Database(backend.database_url))
    await database.verify()
    auth = await stack.enter_async_context(Auth(url=backend.api_url, key=backend.anon_key))
    transport = TRANSPORTS[settings.feed](url=backend.api_url, key=backend.anon_key)
    realtime = await stack.enter_async_context(RealtimeService(transport=transport, source=DatabaseSource(database)))
    await stack.enter_async_context(Retention(database))
    demo = scan = None
    if backend.demo:
        scan = ExampleScan(database, url=own_url)
        stack.push_async_callback(scan.aclose)
        demo = Demo(backend.demo, auth=auth, database=database, scan=scan if settings.demo_scan else None)
    event_streams = await stack.enter_async_context(EventStreamHub(database))
    windows = WindowRegistry()
    app = create_app(
        Services(
            auth=auth,
            cookie=SessionCookie(settings.cookie_secret or cookie_secret(settings.data)),
            database=database,
            enter_demo=demo.enter if demo and is_loopback(settings.host) else None,
            ingest=Ingest(
                database,
                ApiKeyVerifier(database),
                RateLimiter(Rate(per_second=settings.ingest_rate, burst=settings.ingest_burst)),
            ),
            metrics_token=settings.metrics_token,
            scheduler=FrameScheduler(),
            plan=settings.plan,
            realtime=realtime,
            scan=scan,
            sessions=Sessions(auth),
            event_streams=event_streams,
            windows=windows,
        )
    )

    async def announce_end() -> None:
        event_streams.end()
        windows.announce_shutdown()
        if scan:
            # While there is still somebody to whom it can tell its end.
            await scan.aclose()

    return app, announce_end


async def serve_http(
    app: "FastAPI",
    listener: socket.socket,
    *,
    proxies: list[str],
    on_ready: Callable[[], None],
    on_stop: Callable[[], Awaitable[None]],
) -> None:
    """Serve until cancelled; then browsers get a few seconds to take their last messages."""
    config = uvicorn.Config(
        app,
        ws="websockets-sansio",
        ws_max_size=MAX_SOCKET_BYTES,
        proxy_headers=bool(proxies),
        forwarded_allow_ips=proxies,
        log_config=None,
        log_level="warning",
        server_header=False,
        timeout_graceful_shutdown=SHUTDOWN_TIMEOUT_SECONDS,
    )
    server = _Server(config, on_ready, on_stop)
    serving = asyncio.create_task(server.serve(sockets=[listener]), name="web server")
    try:
        await asyncio.shield(serving)
    finally:
        server.should_exit = True
        await serving


class _Server(uvicorn.Server):
    """Says when it is ready and when it goes; leaves the signals to `serve`, which has more to stop than it."""

    def __init__(
        self, config: uvicorn.Config, on_ready: Callable[[], None], on_stop: Callable[[], Awaitable[None]]
    ) -> None:
        super().__init__(config)
        self._on_ready = on_ready
        self._on_stop = on_stop

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._on_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await self._on_stop()
        await asyncio.sleep(SHUTDOWN_NOTICE_SECONDS)
        await super().shutdown(sockets)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def listen(settings: Settings) -> socket.socket:
    """Take the port before anything else is started; raises ConfigurationError that says how to go on."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    # With its protocol named: else asyncio leaves Nagle's algorithm on, which holds answers back for 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((settings.host, settings.port))
        listener.listen(2048)
    except OSError as error:
        listener.close()
        raise ConfigurationError(
            f"Port {settings.port} on {settings.host} cannot be used: {error.strerror}. Stop what listens there, or "
            f"choose another port: LIVEWATCH_PORT={settings.port + 1} make run"
        ) from error
    return listener


def address(settings: Settings, listener: socket.socket) -> str:
    """What to type into a browser on this machine."""
    host = "localhost" if is_loopback(settings.host) or settings.host in ("0.0.0.0", "::") else settings.host
    return f"http://{host}:{listener.getsockname()[1]}"


def own_address(listener: socket.socket) -> str:
    """Where a process on this machine reaches this app."""
    host, port = listener.getsockname()[:2]
    if ipaddress.ip_address(host).is_unspecified:
        host = "::1" if listener.family == socket.AF_INET6 else "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def is_loopback(host: str) -> bool:
    """Whether nobody but this machine can reach a server on that host."""
    with suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost"


def cookie_secret(data: Path) -> SecretStr:
    """The secret that signs session cookies, made on the first start; mode 0600."""
    path = data / "cookie_secret"
    with suppress(FileNotFoundError):
        if secret := path.read_text().strip():
            return SecretStr(secret)
    try:
        data.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(secret := secrets.token_urlsafe(48))
    except OSError as error:
        raise ConfigurationError(
            f"{path} cannot be written: {error.strerror}. Set LIVEWATCH_DATA to a directory that you may write."
        ) from error
    return SecretStr(secret)


def report(step: str) -> None:
    """Tell the person at the console what is done, and when since the start."""
    print(f"{time.perf_counter() - START_TIME:7.2f} s  {step}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
