"""Threads of this package: they run beside the program's own and take no signal from it."""

import signal
import threading
from collections.abc import Callable

# A fault in the thread itself must reach the program's handler, which `faulthandler` may have installed.
FAULTS = ("SIGSEGV", "SIGBUS", "SIGFPE", "SIGILL", "SIGABRT", "SIGTRAP", "SIGSYS")


def start_thread(target: Callable[..., object], *args: object, name: str) -> threading.Thread:
    """Start a daemon thread with all signals blocked.

    The kernel may deliver a signal of the process to any thread that does not block it. Python's handlers run in the
    main thread, which such a delivery does not interrupt: one that sleeps would heed SIGTERM at its end only.

    Raises:
        RuntimeError: The interpreter is shutting down.
    """
    thread = threading.Thread(target=target, args=args, name=name, daemon=True)
    if not hasattr(signal, "pthread_sigmask"):
        thread.start()
        return thread
    faults = {getattr(signal, each) for each in FAULTS if hasattr(signal, each)}
    # A thread begins with the mask of the one that starts it.
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals() - faults)
    try:
        thread.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    return thread
