"""Runs a local Supabase: `python -m local_supabase --data DIR --migrations DIR`."""

import argparse
import asyncio
import contextlib
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from local_supabase.errors import LocalSupabaseError
from local_supabase.realtime.protocol.limits import limits_of
from local_supabase.secrets_file import STATUS_NAME
from local_supabase.server import Options, Report, serve

_STARTED = time.perf_counter()
DEFAULT_PORT = 54321


def main() -> int:
    """Parse the arguments and serve until a signal; the exit code is 1 when it could not start."""
    arguments = _parse()
    report = _event_reporter() if arguments.events else _text_reporter(arguments.data)
    try:
        options = Options(
            data=arguments.data,
            migrations=arguments.migrations,
            host=arguments.host,
            port=arguments.port,
            user=arguments.user,
            app_role=arguments.app_role,
            reset=arguments.reset,
            token_lifetime=arguments.token_lifetime,
            limits=limits_of(dict(arguments.limit)),
        )
        with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
            runner.run(_run(options, report, die_with_parent=arguments.die_with_parent))
    except LocalSupabaseError as error:
        report("error", str(error))
        return 1
    return 0


async def _run(options: Options, report: Report, *, die_with_parent: bool) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        try:
            loop.add_signal_handler(number, stop.set)
        except NotImplementedError:
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(stop.set))
    if die_with_parent:
        threading.Thread(target=_watch_parent, args=(loop, stop.set), name="parent", daemon=True).start()
    serving = asyncio.create_task(serve(options, stop, report))
    stopping = asyncio.create_task(stop.wait())
    # A stop that comes while starting must not wait for the start to end.
    await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not serving.done():
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(30):
                await asyncio.wait({serving})
    await serving


def _watch_parent(loop: asyncio.AbstractEventLoop, stop: Callable[[], None]) -> None:
    # The parent holds the other end of our standard input; the kernel closes it however the parent ends.
    with contextlib.suppress(OSError):
        while os.read(0, 4096):
            pass
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(stop)


def _event_reporter() -> Report:
    def report(step: str, text: str) -> None:
        event: dict[str, object] = {"step": step, "seconds": round(time.perf_counter() - _STARTED, 3), "text": text}
        if step == "ready":
            event["api_url"] = text
        _print(json.dumps(event))

    return report


def _text_reporter(data: Path) -> Report:
    def report(step: str, text: str) -> None:
        if step == "error":
            print(text, file=sys.stderr, flush=True)
        elif step == "ready":
            _print(_summary(data))
        else:
            _print(f"{time.perf_counter() - _STARTED:6.2f} s  {text}")

    return report


def _summary(data: Path) -> str:
    status = json.loads((data.expanduser().absolute() / STATUS_NAME).read_text())
    lines = {
        "API URL": status["api_url"],
        "DB URL": status["database_url"],
        "JWKS URL": status["jwks_url"],
        "anon key": status["anon_key"],
        "service_role key": status["service_role_key"],
    }
    if status["demo_email"]:
        lines |= {"user": status["demo_email"], "password": status["demo_password"]}
    return "\n".join(f"{name:>18}: {value}" for name, value in lines.items())


def _print(line: str) -> None:
    with contextlib.suppress(OSError):
        print(line, flush=True)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m local_supabase", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="where the database, keys and status.json live")
    parser.add_argument("--migrations", type=Path, required=True, help="folder with <timestamp>_name.sql files")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: loopback only)")
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help="0 takes a free one (default: %(default)s)")
    parser.add_argument("--user", metavar="EMAIL", help="create this confirmed user on the first start")
    parser.add_argument("--app-role", metavar="ROLE", help="give this role of the migrations a password to log in")
    parser.add_argument("--reset", action="store_true", help="delete database, users and keys first")
    parser.add_argument("--token-lifetime", type=int, default=3600, metavar="SECONDS", help="of access tokens")
    parser.add_argument(
        "--limit", type=_limit, action="append", default=[], metavar="NAME=VALUE", help="a limit of Realtime"
    )
    parser.add_argument("--die-with-parent", action="store_true", help="stop when standard input ends")
    parser.add_argument("--events", action="store_true", help="report steps as lines of JSON, without secrets")
    return parser.parse_args()


def _limit(text: str) -> tuple[str, float]:
    name, _, value = text.partition("=")
    return name, float(value)


if __name__ == "__main__":
    sys.exit(main())
