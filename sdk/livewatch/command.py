"""The command `livewatch`: runs commands and reports them, reports from shells, checks a key, shows what goes on."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence

from livewatch.messages import STRENGTHS, TYPES

EXIT_CODES = """\
exit codes:
  0    done
  1    refused: the key is bad or lacks a scope, or a value is of no use
  2    wrong usage, or LIVEWATCH_URL and LIVEWATCH_KEY are not as they must be
  3    the server cannot be reached; updates are kept, and sent with the next report
  of `livewatch run`: that of the command, 128 + n when signal n ended it, 127 when there is no such command and
  126 when it cannot be run
"""
SETTINGS = """\
LIVEWATCH_URL says where to report, LIVEWATCH_KEY as whom; an admin makes a key under Settings.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Do what the command line says; returns the exit code."""
    arguments = _arguments(argv)
    logging.basicConfig(format="livewatch: %(message)s", level=logging.WARNING)
    try:
        return _do(arguments)
    except KeyboardInterrupt:
        return 130


def _do(arguments: argparse.Namespace) -> int:
    # What a job waits for must start fast: only what is needed is loaded.
    match arguments.command:
        case "run":
            from livewatch.wrapped import run_command  # noqa: PLC0415

            return run_command(arguments.words, name=arguments.name, slug=arguments.slug, total=arguments.total)
        case "tail":
            from livewatch.tail import tail  # noqa: PLC0415

            return tail()
        case "check":
            from livewatch.key_check import check  # noqa: PLC0415

            return check()
    from livewatch import shell_reports  # noqa: PLC0415

    return {
        "progress": shell_reports.progress,
        "alert": shell_reports.send_alert,
        "notify": shell_reports.send_notification,
    }[arguments.command](arguments)


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="livewatch",
        description="Report long-running work to Livewatch. " + SETTINGS,
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    _run_arguments(_command(commands, "run", "run a command and report it: livewatch run --name nightly -- ./job.sh"))
    _progress_arguments(_command(commands, "progress", "report how far a run is: livewatch progress nightly 40"))
    _message_arguments(commands)
    _command(commands, "check", "check the address and the key")
    _command(commands, "tail", "show changes of runs as they happen, until Ctrl-C")
    arguments = parser.parse_args(argv)
    if arguments.command == "run":
        arguments.words = arguments.words[1:] if arguments.words[:1] == ["--"] else arguments.words
        if not arguments.words:
            parser.error("run: name a command after --, as in: livewatch run --name nightly -- ./job.sh")
    if arguments.command == "progress" and arguments.done is None and not (arguments.is_done or arguments.fail):
        parser.error("progress: say how far it is, --done or --fail REASON")
    return arguments


def _command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, help: str
) -> argparse.ArgumentParser:
    return commands.add_parser(
        name,
        help=help,
        description=help[0].upper() + help[1:] + ".",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def _run_arguments(parser: argparse.ArgumentParser) -> None:
    parser.usage = "livewatch run [--name NAME] [--slug SLUG] [--total N] -- COMMAND [ARGUMENT ...]"
    parser.add_argument("--name", help="what to call it (default: the name of the script or program)")
    parser.add_argument("--slug", help="the name of the run in addresses; a finished one cannot be used again")
    parser.add_argument("--total", type=_count, metavar="N", help="how many there are to do")
    parser.add_argument("words", nargs=argparse.REMAINDER, metavar="COMMAND", help="the command and its arguments")


def _progress_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("slug", help="the name of the run; the first report of it creates it")
    parser.add_argument("done", nargs="?", type=_amount, help="per cent that are done; with --total a count")
    parser.add_argument("--total", type=_count, metavar="N", help="how many there are to do")
    parser.add_argument("--name", help="what to call it (default: the slug)")
    end = parser.add_mutually_exclusive_group()
    end.add_argument("--done", dest="is_done", action="store_true", help="it is finished")
    end.add_argument("--fail", metavar="REASON", help="it has failed, and why")


def _message_arguments(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    alert = _command(commands, "alert", 'alert members: livewatch alert "Disk full" --priority high')
    alert.add_argument("text", help="what it is about")
    alert.add_argument("--priority", choices=list(STRENGTHS), default="medium", help="(default: medium)")
    alert.add_argument("--type", default="alert", metavar="T", help="the kind of signal (default: alert)")
    alert.add_argument("--strength", type=_strength, metavar="N", help="0 to 100; decides the priority")
    alert.add_argument("--company", help="whom it concerns")
    notify = _command(commands, "notify", 'notify members: livewatch notify "Backup done"')
    notify.add_argument("title")
    notify.add_argument("message", nargs="?", default="")
    notify.add_argument("--type", choices=TYPES, default="info", help="(default: info)")
    notify.add_argument("--url", help="where it leads: a path of Livewatch or an address")
    for each in (alert, notify):
        each.add_argument(
            "--to", action="append", default=[], metavar="EMAIL", help="only this member; may be repeated"
        )


def _count(value: str) -> int:
    number = int(value)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{value} is not a number above 0")
    return number


def _amount(value: str) -> float:
    number = float(value.removesuffix("%"))
    if not 0 <= number < 2**53:
        raise argparse.ArgumentTypeError(f"{value} is not a number from 0")
    return number


def _strength(value: str) -> int:
    number = int(value)
    if not 0 <= number <= 100:
        raise argparse.ArgumentTypeError(f"{value} is not between 0 and 100")
    return number


if __name__ == "__main__":
    sys.exit(main())
