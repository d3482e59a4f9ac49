"""A command as a child process whose output passes through unchanged while it is observed."""

from __future__ import annotations

import logging
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

from livewatch.threads import start_thread

if sys.platform != "win32":
    import fcntl
    import termios

READ_BYTES = 64 * 1024
# For output that the command's own children write after its end.
MAX_TRAILING_OUTPUT_SECONDS = 1.0
STDOUT, STDERR = 1, 2
FORWARDED = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGALRM", "SIGWINCH")
OF_TERMINAL = ("SIGINT", "SIGHUP", "SIGQUIT")
# By which a person or a supervisor ends a command.
CANCELLING = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT")
PR_SET_PDEATHSIG = 1

Observer = Callable[[bytes], None]
logger = logging.getLogger("livewatch")


class Child:
    """A child process, started by its construction; call `wait` once.

    Where this process has a terminal, so has the command. Signals that can be caught are forwarded to it until its end.

    Args:
        command: Program and arguments.
        environment: Environment variables of the command.
        observers: Called with each piece of output, by file descriptor (STDOUT, STDERR).
        dies_with_parent: Whether the command gets SIGTERM when this process is killed; on Linux.

    Raises:
        OSError: The command cannot be started.
    """

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        observers: Mapping[int, Observer],
        *,
        dies_with_parent: bool = False,
    ) -> None:
        self._dies_with_parent = dies_with_parent
        self.forwarded: int | None = None
        """The last signal that was forwarded."""
        self._terminal: int | None = None
        self._early_signals: list[int] = []
        self._process: subprocess.Popen[bytes] | None = None
        self._readers: list[threading.Thread] = []
        self._handlers = {number: signal.getsignal(number) for number in self._forwarded_signals()}
        for number in self._handlers:
            signal.signal(number, self._forward)
        try:
            self._process = self._start(command, environment, observers)
        except BaseException:
            self._restore()
            raise
        for number in self._early_signals:
            self._process.send_signal(number)

    @property
    def pid(self) -> int:
        """Process identifier."""
        assert self._process is not None
        return self._process.pid

    def wait(self) -> int:
        """Wait until it has ended and its output is written; return its exit code, negative for a signal."""
        assert self._process is not None
        code = self._process.wait()
        for reader in self._readers:
            reader.join(MAX_TRAILING_OUTPUT_SECONDS)
        self._restore()
        return code

    def _start(
        self, command: Sequence[str], environment: Mapping[str, str], observers: Mapping[int, Observer]
    ) -> subprocess.Popen[bytes]:
        has_terminal = {number: _is_terminal(number) for number in (STDOUT, STDERR)}
        master, slave = (
            _open_terminal(STDOUT if has_terminal[STDOUT] else STDERR) if any(has_terminal.values()) else (None, None)
        )
        self._terminal = master
        try:
            out, err = (slave if has_terminal[number] else subprocess.PIPE for number in (STDOUT, STDERR))
            process = subprocess.Popen(
                command,
                env=dict(environment),
                stdout=out,
                stderr=err,
                # Before this process has other threads.
                preexec_fn=_die_with_parent(os.getpid()) if self._dies_with_parent else None,  # noqa: PLW1509
            )
        except BaseException:
            if master is not None:
                os.close(master)
            raise
        finally:
            if slave is not None:
                os.close(slave)
        if master is not None:
            target = STDOUT if has_terminal[STDOUT] else STDERR
            self._read(master, target, observers[target])
        for number, pipe in ((STDOUT, process.stdout), (STDERR, process.stderr)):
            if pipe is not None:
                self._read(os.dup(pipe.fileno()), number, observers[number])
                pipe.close()
        return process

    def _read(self, source: int, target: int, observer: Observer) -> None:
        self._readers.append(start_thread(_copy_output, source, target, observer, name="livewatch output"))

    def _forwarded_signals(self) -> Iterator[int]:
        for number in (getattr(signal, name, None) for name in FORWARDED):
            # A signal ignored here, as under `nohup`, stays ignored in the command.
            if number is not None and signal.getsignal(number) not in (signal.SIG_IGN, None):
                yield number

    def _forward(self, number: int, _: object) -> None:
        if number == getattr(signal, "SIGWINCH", None):
            if self._terminal is not None:
                with suppress(OSError):
                    _copy_size(STDOUT if _is_terminal(STDOUT) else STDERR, self._terminal)
            return
        self.forwarded = number
        if signal.Signals(number).name in OF_TERMINAL and _is_in_foreground():
            # The terminal signals the whole foreground group: one Ctrl-C must not arrive twice.
            return
        if self._process is None:
            self._early_signals.append(number)
            return
        with suppress(OSError):
            self._process.send_signal(number)

    def _restore(self) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)


def cancelling_signal(code: int, forwarded: int | None) -> str | None:
    """Name the signal by which a command was cancelled; None if it ended otherwise.

    Args:
        code: Its exit code, negative for a signal.
        forwarded: The last signal that was forwarded to it; a shell then exits with 128 and the number.
    """
    number = -code if code < 0 else code - 128 if forwarded is not None and code == 128 + forwarded else 0
    name = signal_name(-number) if number > 0 else None
    return name if name in CANCELLING else None


def shell_exit_code(code: int) -> int:
    """Convert to the exit code of a shell: 128 + n for signal n."""
    return 128 - code if code < 0 else code


def signal_name(code: int) -> str | None:
    """Name the signal of a negative exit code; None for other codes."""
    if code >= 0:
        return None
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"


def exec_command(command: Sequence[str]) -> int:
    """Replace this process by the command; on Windows, run it and return its exit code.

    Raises:
        OSError: The command cannot be started.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    if sys.platform == "win32":
        return subprocess.call(command)
    # Python ignores these, and ignored signals stay ignored across exec.
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    os.execvp(command[0], list(command))


def _copy_output(source: int, target: int, observer: Observer) -> None:
    with _closing(source):
        while True:
            try:
                piece = os.read(source, READ_BYTES)
                if not piece:
                    return
                _write(target, piece)
            except OSError:
                # A closed terminal ends so. If the reader is gone, closing the source signals the command.
                return
            try:
                observer(piece)
            except Exception:
                logger.debug("observing output failed", exc_info=True)


def _write(target: int, piece: bytes) -> None:
    rest = memoryview(piece)
    while rest:
        try:
            rest = rest[os.write(target, rest) :]
        except BlockingIOError:
            select.select([], [target], [])


@contextmanager
def _closing(descriptor: int) -> Iterator[None]:
    try:
        yield
    finally:
        os.close(descriptor)


def _is_terminal(descriptor: int) -> bool:
    return sys.platform != "win32" and os.isatty(descriptor)


def _die_with_parent(parent: int) -> Callable[[], None] | None:
    """Return what a child process calls before its program, to get SIGTERM at the end of its parent; None elsewhere."""
    if sys.platform != "linux":
        return None
    # Loaded before the fork.
    import ctypes  # noqa: PLC0415

    libc = ctypes.CDLL(None, use_errno=True)

    def prepare() -> None:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGTERM)

    return prepare


def _open_terminal(like: int) -> tuple[int | None, int | None]:
    """Open a pseudo-terminal with the size and attributes of `like`, without output processing."""
    if sys.platform == "win32":
        return None, None
    master, slave = os.openpty()
    with suppress(OSError, termios.error):
        attributes = termios.tcgetattr(like)
        attributes[1] &= ~termios.OPOST
        termios.tcsetattr(slave, termios.TCSANOW, attributes)
        _copy_size(like, slave)
    return master, slave


def _copy_size(source: int, target: int) -> None:
    if sys.platform != "win32":
        size = fcntl.ioctl(source, termios.TIOCGWINSZ, bytes(8))
        fcntl.ioctl(target, termios.TIOCSWINSZ, size)


def _is_in_foreground() -> bool:
    """Return whether this process is in the foreground group of its terminal, and so its children too."""
    if sys.platform == "win32":
        return True
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)
