"""Arguments of `livewatch close`, `archive`, `unarchive` and `delete`."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from livewatch.delivery.operations import MAX_ERROR_CHARACTERS, checked_slug, text

COMMANDS = ("close", "archive", "unarchive", "delete")
KINDS = ("stream", "scan", "agent")


def add_tidying_arguments(add_command: Callable[[str, str], argparse.ArgumentParser]) -> None:
    """Add the commands, each by `add_command(name, help)`."""
    close = add_command("close", 'end a run as cancelled: livewatch close nightly --error "host is down"')
    close.add_argument("slugs", nargs=1, type=_slug, metavar="SLUG", help="name of the run in URLs")
    close.add_argument("--error", type=_error, metavar="TEXT", help="cause, shown with the run")
    archive = add_command("archive", "move runs out of the lists: livewatch archive nightly-1 nightly-2")
    unarchive = add_command("unarchive", "bring archived runs back: livewatch unarchive nightly-1")
    delete = add_command("delete", "delete runs with all that belongs to them: livewatch delete nightly-1 --yes")
    delete.add_argument("--yes", action="store_true", help="do not ask; needed without a terminal")
    for each in (archive, unarchive, delete):
        each.add_argument("slugs", nargs="+", type=_slug, metavar="SLUG", help="name of a run in URLs")
    for each in (close, archive, unarchive, delete):
        each.add_argument("--kind", choices=KINDS, default="stream", help="kind of run (default: stream)")


def _slug(value: str) -> str:
    # A report takes the closest slug instead. These commands do not guess which run is meant.
    closest = checked_slug(value)
    if closest != value:
        hint = f"; did you mean {closest}?" if value.strip() else ""
        raise argparse.ArgumentTypeError(
            f"{value!r} is no slug, which has 1 to 120 characters out of A-Z a-z 0-9 . _ : - and not only dots{hint}"
        )
    return value


def _error(value: str) -> str:
    return text(value, MAX_ERROR_CHARACTERS)
