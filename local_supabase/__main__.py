"""Run a local Supabase: PostgreSQL with Supabase-compatible Auth and Realtime."""

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

from local_supabase.child import (
    DEFAULT_SITE_URL,
    DEFAULT_TOKEN_LIFETIME_SECONDS,
    JWT_SECRET_VARIABLE,
    LOOPBACK,
    OIDC_VARIABLE,
    SMTP_URL_VARIABLE,
    STOP_TIMEOUT_SECONDS,
    OidcOptions,
    Options,
    Step,
)
from local_supabase.errors import LocalSupabaseError
from local_supabase.secrets_file import STATUS_NAME
from local_supabase.server import Report, serve

_STARTED = time.perf_counter()
DEFAULT_PORT = 54321


def main() -> int:
    """Serve until SIGINT or SIGTERM; return 0, or 1 if the start or a background task failed."""
    arguments = _parse()
    report = _report_json if arguments.events else _text_report(arguments.data, show_keys=arguments.show_keys)
    try:
        options = Options(
            data=arguments.data,
            migrations=arguments.migrations,
            host=arguments.host,
            allowed_hosts=tuple(arguments.allowed_host),
            port=arguments.port,
            user=arguments.user,
            app_role=arguments.app_role,
            reset=arguments.reset,
            token_lifetime=arguments.token_lifetime,
            site_url=arguments.site_url,
            jwt_secret=_jwt_secret(arguments.jwt_secret_file),
            external_url=arguments.external_url,
            oidc=OidcOptions.from_environment(os.environ),
            smtp_url=os.environ.get(SMTP_URL_VARIABLE),
            mail_link=arguments.mail_link,
            disable_signup=arguments.disable_signup,
            limits=dict(arguments.limit),
        )
        with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
            runner.run(_run(options, report, die_with_parent=arguments.die_with_parent))
    except LocalSupabaseError as error:
        report("error", str(error))
        return 1
    except OSError as error:
        # What the system refuses at a place that does not expect it, such as a write to a full disk.
        report("error", f"The system refused an operation: {error}.")
        return 1
    return 0


async def _run(options: Options, report: Report, *, die_with_parent: bool) -> None:
    stop, ready = asyncio.Event(), asyncio.Event()

    def report_step(step: str, text: str) -> None:
        report(step, text)
        if step == "ready":
            ready.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        try:
            loop.add_signal_handler(number, stop.set)
        except NotImplementedError:
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(stop.set))
    if die_with_parent:
        threading.Thread(target=_watch_parent, args=(loop, stop.set), name="parent", daemon=True).start()
    serving = asyncio.create_task(serve(options, stop, report_step))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    # A start is given up at once; `serve` itself stops what has started.
    if not serving.done() and ready.is_set():
        await asyncio.wait({serving}, timeout=STOP_TIMEOUT_SECONDS)
    if not serving.done():
        serving.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await serving


def _watch_parent(loop: asyncio.AbstractEventLoop, stop: Callable[[], None]) -> None:
    # The parent holds the other end of standard input; the kernel closes it, however the parent ends.
    with contextlib.suppress(OSError):
        while os.read(0, 4096):
            pass
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(stop)


def _report_json(step: str, text: str) -> None:
    _print(Step(name=step, seconds=_elapsed(), text=text).to_json())


def _text_report(data: Path, *, show_keys: bool) -> Report:
    # What is not a terminal is probably a log, which others read and which is kept.
    has_keys = show_keys or sys.stdout.isatty()

    def report(step: str, text: str) -> None:
        if step == "error":
            print(text, file=sys.stderr, flush=True)
        elif step == "ready":
            _print(_summary(data, has_keys=has_keys))
        else:
            _print(f"{_elapsed():6.2f} s  {text}")

    return report


def _elapsed() -> float:
    return time.perf_counter() - _STARTED


def _summary(data: Path, *, has_keys: bool) -> str:
    path = data / STATUS_NAME
    status = json.loads(path.read_text())
    lines = {"API URL": status["api_url"], "JWKS URL": status["jwks_url"]}
    if not has_keys:
        lines["keys"] = f"in {path.absolute()}, or here with --show-keys"
    else:
        lines |= {
            "DB URL": status["database_url"],
            "anon key": status["anon_key"],
            "service_role key": status["service_role_key"],
        }
        if status["demo_email"]:
            lines |= {"user": status["demo_email"], "password": status["demo_password"]}
    return "\n".join(f"{name:>18}: {value}" for name, value in lines.items())


def _jwt_secret(path: Path | None) -> str | None:
    if path is None:
        return os.environ.get(JWT_SECRET_VARIABLE)
    try:
        return path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise LocalSupabaseError(f"The JWT secret cannot be read from {path} ({error}).") from error


def _print(line: str) -> None:
    with contextlib.suppress(OSError):
        print(line, flush=True)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m local_supabase", description=__doc__)
    parser.add_argument(
        "--data", type=Path, required=True, metavar="DIR", help="data directory: database, keys, status.json"
    )
    parser.add_argument("--migrations", type=Path, metavar="DIR", help="folder with <timestamp>_name.sql files")
    parser.add_argument("--host", default=LOOPBACK, metavar="ADDRESS", help="listen address (default: %(default)s)")
    parser.add_argument(
        "--port", type=int, default=DEFAULT_PORT, help="listen port, 0 for a free one (default: %(default)s)"
    )
    parser.add_argument(
        "--allowed-host",
        action="append",
        default=[],
        metavar="NAME",
        help="serve clients that reach the API under this name, besides loopback names and addresses; repeatable",
    )
    parser.add_argument("--user", metavar="EMAIL", help="create this confirmed user on the first start")
    parser.add_argument("--app-role", metavar="ROLE", help="set a password for this role of the migrations")
    parser.add_argument("--reset", action="store_true", help="delete the database, users and keys first")
    parser.add_argument(
        "--token-lifetime",
        type=int,
        default=DEFAULT_TOKEN_LIFETIME_SECONDS,
        metavar="SECONDS",
        help="lifetime of access tokens (default: %(default)s)",
    )
    parser.add_argument(
        "--site-url",
        default=DEFAULT_SITE_URL,
        metavar="URL",
        help="address of the application, to which links of e-mails lead (default: %(default)s)",
    )
    parser.add_argument(
        "--external-url",
        metavar="URL",
        help="address at which browsers reach Auth, such as https://example.org/auth/v1, to sign in by the provider in "
        f"{OIDC_VARIABLE}_ISSUER (default: the listen address)",
    )
    parser.add_argument(
        "--mail-link",
        metavar="TEMPLATE",
        help="template of the links in mails, with variables such as {{ .SiteURL }}, {{ .TokenHash }} and {{ .Type }} "
        "(default: {{ .ConfirmationURL }})",
    )
    parser.add_argument("--disable-signup", action="store_true", help="let only the service role make accounts")
    parser.add_argument(
        "--jwt-secret-file",
        type=Path,
        metavar="FILE",
        help=f"secret of tokens that the project signs itself (HS256); or set {JWT_SECRET_VARIABLE}",
    )
    parser.add_argument(
        "--limit", type=_limit, action="append", default=[], metavar="NAME=VALUE", help="set a Realtime limit"
    )
    parser.add_argument("--die-with-parent", action="store_true", help="stop when standard input closes")
    parser.add_argument("--show-keys", action="store_true", help="print keys and passwords also if not to a terminal")
    parser.add_argument("--events", action="store_true", help="print each step as a line of JSON, without secrets")
    return parser.parse_args()


def _limit(text: str) -> tuple[str, float]:
    name, _, value = text.partition("=")
    try:
        return name, float(value)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE with a number") from error


if __name__ == "__main__":
    sys.exit(main())
