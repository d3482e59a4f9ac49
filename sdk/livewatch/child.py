"""A command as a child process, whose output is passed on unchanged and seen on its way."""

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

if sys.platform != "win32":
    import fcntl
    import termios

PIECE = 64 * 1024
# For output that the command's own children still write after its end; they are not waited for longer.
LAST_WORDS = 1.0
STDOUT, STDERR = 1, 2

See = Callable[[bytes], None]
logger = logging.getLogger("livewatch")


class Child:
    """Made, it runs; `wait` for it. Where this process has a terminal, so has the command.

    Raises OSError when the command cannot be started. SIGTERM, SIGHUP and SIGINT are its from then on.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], see: Mapping[int, See]) -> None:
        self._terminal: int | None = None
        self._waiting: list[int] = []
        self._process: subprocess.Popen[bytes] | None = None
        self._readers: list[threading.Thread] = []
        self._handlers = {number: signal.getsignal(number) for number in self._signals()}
        for number in self._handlers:
            signal.signal(number, self._forward)
        try:
            self._process = self._start(command, environment, see)
        except BaseException:
            self._restore()
            raise
        for number in self._waiting:
            self._process.send_signal(number)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def wait(self) -> int:
        """Its exit code, negative for a signal; its output has been passed on."""
        assert self._process is not None
        code = self._process.wait()
        for reader in self._readers:
            reader.join(LAST_WORDS)
        self._restore()
        return code

    def _start(
        self, command: Sequence[str], environment: Mapping[str, str], see: Mapping[int, See]
    ) -> subprocess.Popen[bytes]:
        own = {number: _is_terminal(number) for number in (STDOUT, STDERR)}
        master, slave = _open_terminal(STDOUT if own[STDOUT] else STDERR) if any(own.values()) else (None, None)
        self._terminal = master
        try:
            out, err = (slave if own[number] else subprocess.PIPE for number in (STDOUT, STDERR))
            process = subprocess.Popen(command, env=dict(environment), stdout=out, stderr=err)
        except BaseException:
            if master is not None:
                os.close(master)
            raise
        finally:
            if slave is not None:
                os.close(slave)
        if master is not None:
            target = STDOUT if own[STDOUT] else STDERR
            self._read(master, target, see[target])
        for number, pipe in ((STDOUT, process.stdout), (STDERR, process.stderr)):
            if pipe is not None:
                self._read(os.dup(pipe.fileno()), number, see[number])
                pipe.close()
        return process

    def _read(self, source: int, target: int, see: See) -> None:
        reader = threading.Thread(target=_pass_on, args=(source, target, see), name="livewatch output", daemon=True)
        reader.start()
        self._readers.append(reader)

    def _signals(self) -> Iterator[int]:
        names = ("SIGINT", "SIGTERM", "SIGHUP", "SIGWINCH")
        for number in (getattr(signal, name, None) for name in names):
            # What is ignored here, as below `nohup`, is ignored there too.
            if number is not None and signal.getsignal(number) not in (signal.SIG_IGN, None):
                yield number

    def _forward(self, number: int, _: object) -> None:
        if number == getattr(signal, "SIGWINCH", None):
            if self._terminal is not None:
                with suppress(OSError):
                    _copy_size(STDOUT if _is_terminal(STDOUT) else STDERR, self._terminal)
        elif number != signal.SIGTERM and _is_in_foreground():
            # The terminal has told the command itself; it must not hear of one Ctrl-C twice.
            return
        if self._process is None:
            self._waiting.append(number)
            return
        with suppress(OSError):
            self._process.send_signal(number)

    def _restore(self) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)


def exit_code(code: int) -> int:
    """As a shell tells it: 128 and the signal for what a signal ended."""
    return 128 - code if code < 0 else code


def signal_name(code: int) -> str | None:
    """The signal that ended it, for a negative exit code."""
    if code >= 0:
        return None
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"


def replace_by(command: Sequence[str]) -> int:
    """Become this command, where the system can; else run it. Raises OSError when it cannot be started."""
    sys.stdout.flush()
    sys.stderr.flush()
    if sys.platform == "win32":
        return subprocess.call(command)
    # Python ignores them, and what is ignored stays so.
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    os.execvp(command[0], list(command))


def _pass_on(source: int, target: int, see: See) -> None:
    with _closing(source):
        while True:
            try:
                piece = os.read(source, PIECE)
                if not piece:
                    return
                _write(target, piece)
            except OSError:
                # So a terminal ends; and where nobody reads on, the command is to learn of it.
                return
            try:
                see(piece)
            except Exception:
                logger.debug("output could not be read", exc_info=True)


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


def _open_terminal(like: int) -> tuple[int | None, int | None]:
    """A terminal of the same size and ways, which changes nothing of what is written to it."""
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
    """Whether what is typed at a terminal goes to this process, and so to its children too."""
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
