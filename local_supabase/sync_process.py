"""`running`: a child process for programs without an event loop, such as a test session."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from local_supabase.child import START_TIMEOUT_SECONDS, STOP_TIMEOUT_SECONDS, Options, Step, environment
from local_supabase.errors import StartError
from local_supabase.status import LocalSupabaseStatus


@contextmanager
def running(options: Options) -> Iterator[LocalSupabaseStatus]:
    """Start the child, yield its status once it is ready, and stop it on exit.

    The child stops with this process, even if this process is killed. It is not restarted if it exits.

    Raises:
        StartError: the child reported an error, exited, or was not ready in time.
    """
    process = subprocess.Popen(
        options.command(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment(options),
        # A new session: Ctrl-C in a terminal then reaches only the parent, which stops the child in order.
        start_new_session=sys.platform != "win32",
    )
    try:
        _wait_until_ready(process)
        yield LocalSupabaseStatus.read(options.data)
    finally:
        _stop(process)


def _wait_until_ready(process: subprocess.Popen[bytes]) -> None:
    assert process.stdout is not None
    failure = ""
    # Reading blocks; killing the child ends it.
    deadline = threading.Timer(START_TIMEOUT_SECONDS, process.kill)
    deadline.start()
    try:
        for line in process.stdout:
            step = Step.parse(line)
            if step and step.name == "error":
                failure = step.text
            if step and step.name == "ready":
                return
    finally:
        deadline.cancel()
    code = process.wait()
    raise StartError(failure or f"The local Supabase exited while starting (exit code {code}).")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.communicate(timeout=STOP_TIMEOUT_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
