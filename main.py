"""Entry point of Livewatch: settings, Supabase backend, services, pages and web server.

Without a command it serves the app; `check`, `migrate`, `demo`, `key` and `user` are further commands.
"""

import asyncio
import importlib
import signal
import sys
import time
from contextlib import AsyncExitStack, suppress
from types import ModuleType

from services.errors import LivewatchError
from services.infra import event_loop
from services.infra.backend import open_backend
from services.infra.logging import configure
from services.infra.web_server import (
    allowed_hosts,
    browser_url,
    listen,
    local_url,
    people_url,
    serve_http,
)
from services.operations.command_line import arguments_of, run_command
from services.operations.process_memory import pause_collection, return_freed_memory
from services.settings import Settings, read_settings

START_TIME = time.perf_counter()


def main(argv: list[str] | None = None) -> int:
    """Serve until Ctrl-C or SIGTERM, or run the command; returns the exit code, 1 on failure."""
    arguments = arguments_of(argv)
    try:
        settings = read_settings()
        configure(settings.log_format)
        if arguments.command != "serve":
            return event_loop.run(run_command(arguments, settings))
        return_freed_memory()
        event_loop.run(serve(settings))
        return 0
    except LivewatchError as error:
        failure = "Livewatch could not start" if arguments.command == "serve" else "The command failed"
        print(f"{failure}: {error}", file=sys.stderr)
        return 1


async def serve(settings: Settings) -> None:
    """Run the app until SIGINT or SIGTERM, then stop everything in reverse order."""
    report(f"Livewatch starts on Python {sys.version.split()[0]}")
    task = asyncio.current_task()
    assert task is not None
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(NotImplementedError):
            loop.add_signal_handler(number, task.cancel)
    async with AsyncExitStack() as stack:
        stack.callback(report, "Stopped")
        listener = stack.enter_context(listen(settings))
        # Importing the user interface is slow and runs while the local Supabase starts.
        importing = loop.run_in_executor(None, import_composition)
        address = people_url(settings, listener)
        try:
            backend = await stack.enter_async_context(open_backend(settings, report=report, address=address))
            composition = await importing
            app, announce_shutdown = await composition.compose(settings, backend, local_url(listener), address, stack)
            report_sign_on(settings, address)
            if backend.sends_mail and settings.public_url is None:
                report(f"Links in mails lead to {address}; set LIVEWATCH_PUBLIC_URL if people reach the app elsewhere")
            ready = [f"Ready: open {browser_url(settings, listener)}"]
            if link := await composition.first_setup(settings, backend, listener):
                ready.append(f"Make the first account within an hour, by this link, which works once: {link}")
            await serve_http(
                app,
                listener,
                proxies=settings.proxies,
                root_path=settings.root_path,
                hosts=allowed_hosts(settings),
                on_stop=announce_shutdown,
                on_ready=lambda: report("\n".join(ready)),
            )
        except asyncio.CancelledError:
            report("Stopping")


def import_composition() -> ModuleType:
    """Import the user interface; returns the module of its composition."""
    with pause_collection():
        return importlib.import_module("pages.composition")


def report_sign_on(settings: Settings, address: str) -> None:
    """Print what must be registered for single sign-on: at the provider, or in the settings of a project."""
    if settings.oidc_provider_name and settings.is_embedded:
        report(f"Single sign-on: register the redirect URI {address}/auth/v1/callback at the provider")
    elif settings.oidc_provider_name:
        report(f"Single sign-on: allow the redirect URL {address}/session/sso** in the Supabase project")


def report(step: str) -> None:
    """Print a startup step to the console, with the seconds since the start."""
    print(f"{time.perf_counter() - START_TIME:7.2f} s  {step}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
