"""The environment of this process: where, by whom and from which code it runs, captured once and beside the program."""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from livewatch.delivery.operations import MAX_METADATA_CHARACTERS, plain, text
from livewatch.threads import start_thread

VARIABLE = "LIVEWATCH_ENVIRONMENT"
IGNORED = "off"
GIT_SECONDS = 2.0
# Of a run that ends before the capture does.
MAX_WAIT_SECONDS = 0.05
# A program may begin thousands of runs, and a list of packages has some 10 KB.
MAX_RUNS_WITH_PACKAGES = 50
MAX_COMMAND_CHARACTERS = 1_000
CONTAINER_FILES = {"docker": "/.dockerenv", "podman": "/run/.containerenv"}

logger = logging.getLogger("livewatch")


class Environment:
    """What a run's program runs in; captured in a thread when the first run begins. No method raises.

    Environment variables are never part of it.

    Args:
        command: The command that is run in place of this process, whose Python and packages are then left out.
    """

    def __init__(self, command: Sequence[str] | None = None) -> None:
        self._command = command
        self._capture: _Capture | None = None
        self._given = 0

    def begin(self) -> None:
        """Begin to capture, once. A forked process takes what was captured, or captures anew."""
        capture = self._capture
        if capture is not None and (capture.is_done.is_set() or capture.pid == os.getpid()):
            return
        self._capture = capture = _Capture(self._command)
        if os.environ.get(VARIABLE) == IGNORED:
            capture.is_done.set()
            return
        # At the shutdown of the interpreter there are no new threads.
        with suppress(RuntimeError):
            start_thread(capture.run, name="livewatch environment")

    def take(self, *, is_last: bool = False) -> dict[str, Any] | None:
        """Return what was captured, for one run; None while that goes on.

        Args:
            is_last: Whether the run ends: then this waits for 50 ms and returns what there is by then.
        """
        capture = self._capture
        if capture is None:
            return {}
        if not (capture.is_done.wait(MAX_WAIT_SECONDS) if is_last else capture.is_done.is_set()) and not is_last:
            return None
        self._given += 1
        content = dict(capture.content)
        if self._given > MAX_RUNS_WITH_PACKAGES:
            content.pop("packages", None)
        return content


class _Capture:
    """One capture, made by `run`; `content` is replaced as a whole as it grows."""

    def __init__(self, command: Sequence[str] | None) -> None:
        self.pid = os.getpid()
        self.content: dict[str, Any] = {}
        self.is_done = threading.Event()
        self._command = command
        self._directories = _directories(command)

    def run(self) -> None:
        """Capture, the cheap parts first; a part that fails is left out."""
        try:
            for name, part in self._parts():
                try:
                    value = plain(part())
                except Exception:
                    logger.debug("capturing %s failed", name, exc_info=True)
                    continue
                if value:
                    self.content = fitting({**self.content, name: value})
        finally:
            self.is_done.set()

    def _parts(self) -> Iterator[tuple[str, Callable[[], Any]]]:
        # Imported late, here and below: a program must not wait for what only the thread needs.
        import platform  # noqa: PLC0415

        from livewatch.reporting.secrets import masked_command  # noqa: PLC0415

        words = self._command
        yield "host", platform.node
        yield "user", _user
        # Of this process only the program: its arguments are the program's own affair.
        yield "command", lambda: text(masked_command(sys.argv[:1] if words is None else words), MAX_COMMAND_CHARACTERS)
        yield "platform", lambda: " ".join((platform.system(), platform.release(), platform.machine()))
        if words is None:
            yield "python", lambda: f"{platform.python_version()} ({platform.python_implementation()})"
        yield "container", _container
        yield "git", lambda: git_state(self._directories)
        if words is None:
            yield "packages", packages


def git_state(directories: Sequence[str], seconds: float = GIT_SECONDS) -> dict[str, Any]:
    """Return commit, branch, remote and whether tracked files were changed, of the first directory in a repository.

    What is not known in time, as whether a huge repository was changed, is left out; so is the branch of a detached
    head.

    Args:
        directories: Where to look.
        seconds: Time for all of it.
    """
    import subprocess  # noqa: PLC0415

    from livewatch.reporting.secrets import masked_url  # noqa: PLC0415

    ends_at = time.monotonic() + seconds

    def git(directory: str, *arguments: str) -> str | None:
        """Return the output of git; None if it failed, or had no time."""
        remaining = ends_at - time.monotonic()
        if remaining <= 0:
            return None
        try:
            done = subprocess.run(
                # A repository's configuration may name a program to run.
                ["git", "-C", directory, "-c", "core.fsmonitor=false", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                timeout=remaining,
                check=False,
                env={**os.environ, "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0"},
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
        except (OSError, subprocess.SubprocessError, ValueError):
            return None
        return done.stdout.decode(errors="replace").strip() if done.returncode == 0 else None

    for directory in directories:
        commit = git(directory, "rev-parse", "--verify", "HEAD")
        if not commit:
            continue
        state: dict[str, Any] = {"commit": commit}
        if branch := git(directory, "symbolic-ref", "--short", "-q", "HEAD"):
            state["branch"] = branch
        if remote := git(directory, "config", "--get", "remote.origin.url"):
            state["remote"] = masked_url(remote)
        changes = git(directory, "status", "--porcelain", "--untracked-files=no")
        if changes is not None:
            state["is_dirty"] = bool(changes)
        return state
    return {}


def packages() -> dict[str, str]:
    """Return the version of each installed package by its name; those with broken metadata are left out."""
    from importlib.metadata import distributions  # noqa: PLC0415

    found: dict[str, str] = {}
    for each in distributions():
        with suppress(Exception):
            name, version = each.metadata["Name"], each.version
            # The first on the path is the one that is imported.
            if name and version:
                found.setdefault(str(name), str(version))
    return dict(sorted(found.items(), key=lambda item: item[0].lower()))


def fitting(content: dict[str, Any]) -> dict[str, Any]:
    """Return an environment that the server takes: packages beyond its size are left out, and counted."""
    found = content.get("packages")
    if not isinstance(found, dict) or _size(content) <= MAX_METADATA_CHARACTERS:
        return content
    # With room for the count; the braces of an item are as long as what separates two.
    room = MAX_METADATA_CHARACTERS - _size({**content, "packages": {}}) - 40
    kept: dict[str, Any] = {}
    for name, version in found.items():
        room -= len(json.dumps({name: version}))
        if room < 0:
            break
        kept[name] = version
    return {**content, "packages": kept, "packages_left_out": len(found) - len(kept)}


def _size(content: dict[str, Any]) -> int:
    return len(json.dumps(content))


def _user() -> str:
    if sys.platform == "win32":
        return os.getlogin()
    import pwd  # noqa: PLC0415

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def _container() -> str | None:
    return next((name for name, path in CONTAINER_FILES.items() if Path(path).exists()), None)


def _directories(command: Sequence[str] | None) -> list[str]:
    """Return where the code may be: the folder of the script, then the working directory."""
    script = sys.argv[0] if command is None and sys.argv else ""
    found = []
    # The working directory may be gone.
    with suppress(OSError):
        if script and Path(script).is_file():
            found.append(str(Path(script).resolve().parent))
    with suppress(OSError):
        found.append(str(Path.cwd()))
    return found


ENVIRONMENT = Environment()
"""Of this process."""
