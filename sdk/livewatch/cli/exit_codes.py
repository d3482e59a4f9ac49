"""The exit codes of the command line."""

from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of every command but `run`, which returns its command's; see also HELP."""

    DONE = 0
    REJECTED = 1
    MISCONFIGURED = 2
    UNREACHABLE = 3
    NOT_EXECUTABLE = 126
    NOT_FOUND = 127
    INTERRUPTED = 130


HELP = """\
exit codes:
  0    success
  1    rejected: not logged in, invalid key, missing scope or invalid value
  2    invalid usage, or settings (LIVEWATCH_URL, LIVEWATCH_KEY or the login) missing or invalid
  3    server unreachable; reports stay queued for the next one; close, archive, unarchive and delete change nothing
  livewatch run returns the exit code of the command, 128 + n if signal n ended it, 127 if the command was not found,
  126 if it is not executable
"""
