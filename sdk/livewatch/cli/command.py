"""The command `livewatch`: parses arguments and dispatches to the subcommands."""

from __future__ import annotations

import argparse
import io
import logging
import os
import sys
from collections.abc import Sequence

from livewatch.cli import exit_codes
from livewatch.cli.exit_codes import ExitCode
from livewatch.cli.reading.arguments import add_reading_arguments
from livewatch.cli.tidying_arguments import add_tidying_arguments
from livewatch.delivery.operations import amount_of, tags_of
from livewatch.messages import STRENGTHS, TYPES
from livewatch.settings import VERSION

DESCRIPTION = """\
Report long-running work to Livewatch. Log in with `livewatch login URL`, or set
LIVEWATCH_URL to the server and LIVEWATCH_KEY to an ingest key, which an admin creates
under Settings.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line; return the exit code."""
    if sys.stderr is None:
        # Closed by the caller; `print` would fall back to standard output.
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    arguments = _parse(argv)
    logging.basicConfig(format="livewatch: %(message)s", level=logging.WARNING)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Names may have characters that the terminal's encoding lacks.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        return _dispatch(arguments)
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED


def _dispatch(arguments: argparse.Namespace) -> int:
    # Imported late: a command that a job waits for must start fast.
    match arguments.command:
        case "run":
            from livewatch.cli.wrapping.wrapped import WrapOptions, run_command  # noqa: PLC0415

            options = WrapOptions(
                name=arguments.name,
                slug=arguments.slug,
                total=arguments.total,
                reports_tqdm=arguments.tqdm,
                dies_with_parent=arguments.die_with_parent,
                is_quiet=arguments.quiet,
                tags=tuple(arguments.tags),
                schedule=_schedule(arguments),
            )
            return run_command(arguments.words, options)
        case "login" | "whoami" | "logout":
            return _manage_login(arguments)
        case "tail" | "check" | "mcp" | "ls" | "show" | "logs" | "open":
            return _read(arguments)
        case "close" | "archive" | "unarchive" | "delete":
            from livewatch.cli.tidying import tidy_up  # noqa: PLC0415

            return tidy_up(arguments)
    from livewatch.cli import shell_reports  # noqa: PLC0415

    return {
        "progress": shell_reports.report_progress,
        "alert": shell_reports.send_alert,
        "notify": shell_reports.send_notification,
    }[arguments.command](arguments)


def _read(arguments: argparse.Namespace) -> int:
    if arguments.command == "tail":
        from livewatch.cli.tail import tail  # noqa: PLC0415

        return tail()
    if arguments.command == "check":
        from livewatch.cli.key_check import check  # noqa: PLC0415

        return check()
    if arguments.command == "mcp":
        from livewatch.cli.mcp.server import serve  # noqa: PLC0415

        return serve()
    from livewatch.cli.reading.reading import read  # noqa: PLC0415

    return read(arguments)


def _manage_login(arguments: argparse.Namespace) -> int:
    from livewatch.cli import account  # noqa: PLC0415

    if arguments.command == "login":
        from livewatch.cli.login import login  # noqa: PLC0415

        return login(arguments.url, arguments.name, opens_browser=not arguments.no_browser, shows_qr_code=arguments.qr)
    return account.whoami() if arguments.command == "whoami" else account.logout()


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="livewatch",
        description=DESCRIPTION,
        epilog=exit_codes.HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"livewatch {VERSION}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    _add_run_arguments(_add_command(commands, "run", "run and report a command: livewatch run --name nightly -- ./job"))
    _add_progress_arguments(_add_command(commands, "progress", "report progress: livewatch progress nightly 40"))
    _add_message_arguments(commands)
    _add_login_arguments(_add_command(commands, "login", "log in through the browser: livewatch login https://host"))
    _add_command(commands, "whoami", "print organisation, key and URL of the login")
    _add_command(commands, "logout", "remove the stored login")
    add_reading_arguments(lambda name, help: _add_command(commands, name, help))
    add_tidying_arguments(lambda name, help: _add_command(commands, name, help))
    _add_command(commands, "check", "verify the server URL and the ingest key")
    _add_command(commands, "tail", "print changes of runs as they happen, until Ctrl-C")
    _add_command(commands, "mcp", "serve runs and logs to an AI assistant by the Model Context Protocol, on stdin")
    arguments = parser.parse_args(argv)
    if arguments.command == "run":
        arguments.words = arguments.words[1:] if arguments.words[:1] == ["--"] else arguments.words
        if not arguments.words:
            parser.error("run: missing command after --, as in: livewatch run --name nightly -- ./job.sh")
    if arguments.command == "progress" and arguments.done is None and not (arguments.is_done or arguments.fail):
        parser.error("progress: missing progress: pass a number, --done or --fail REASON")
    return arguments


def _add_command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, help: str
) -> argparse.ArgumentParser:
    return commands.add_parser(
        name,
        help=help,
        description=help[0].upper() + help[1:] + ".",
        epilog=exit_codes.HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def _add_run_arguments(parser: argparse.ArgumentParser) -> None:
    parser.usage = (
        "livewatch run [--name NAME] [--slug SLUG] [--total N] [--tag TAG]... "
        "[--expect WHEN [--tz ZONE] [--grace TIME] [--max TIME]] [--tqdm] [--die-with-parent] [--quiet] "
        "-- COMMAND [ARGUMENT ...]"
    )
    parser.add_argument("--name", help="title of the run (default: name of the script or program)")
    parser.add_argument(
        "--slug", help="name of the job in URLs, whose runs are numbered (default: made from the title)"
    )
    parser.add_argument("--total", type=_total, metavar="N", help="number of units to do")
    parser.add_argument(
        "--tag", dest="tags", type=_tag, action="append", default=[], help="tag of the run; may be repeated"
    )
    parser.add_argument(
        "--expect", metavar="WHEN", help='when runs are expected: a cron line such as "0 2 * * 1-5", or such as 1h'
    )
    parser.add_argument("--tz", metavar="ZONE", help="time zone of --expect, such as Europe/Berlin (default: UTC)")
    parser.add_argument("--grace", metavar="TIME", help="time after which a run that is due is late (default: 10m)")
    parser.add_argument("--max", metavar="TIME", help="longest time that a run may take, such as 2h")
    parser.add_argument("--tqdm", action="store_true", help="report the bars of tqdm in a Python command")
    parser.add_argument("--die-with-parent", action="store_true", help="end the command if livewatch is killed (Linux)")
    parser.add_argument("--quiet", action="store_true", help="do not print the URL of the run")
    parser.add_argument("words", nargs=argparse.REMAINDER, metavar="COMMAND", help="command and its arguments")


def _add_progress_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("slug", help="name of the run in URLs; its first report creates the run")
    parser.add_argument(
        "done", nargs="?", type=_progress, help="units done of the total, which is 100 unless one was given; or 40%%"
    )
    parser.add_argument("--total", type=_total, metavar="N", help="number of units to do")
    parser.add_argument("--unit", help="name of the units; B for bytes")
    parser.add_argument("--name", help="title of the run (default: the slug)")
    end = parser.add_mutually_exclusive_group()
    end.add_argument("--done", dest="is_done", action="store_true", help="mark the run as completed")
    end.add_argument("--fail", metavar="REASON", help="mark the run as failed")


def _add_login_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("url", metavar="URL", help="URL of Livewatch; https unless it is of this machine")
    parser.add_argument("--name", help="name of the key (default: user@host)")
    parser.add_argument("--no-browser", action="store_true", help="only print the address")
    parser.add_argument("--qr", action="store_true", help="show the address as a QR code, too (extra `qr`)")


def _add_message_arguments(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    alert = _add_command(commands, "alert", 'send an alert: livewatch alert "Disk full" --priority high')
    alert.add_argument("text", help="subject of the alert")
    alert.add_argument("--priority", choices=list(STRENGTHS), default="medium", help="(default: medium)")
    alert.add_argument("--type", default="alert", metavar="T", help="kind of signal (default: alert)")
    alert.add_argument("--strength", type=_strength, metavar="N", help="0 to 100; overrides --priority")
    alert.add_argument("--company", help="company concerned")
    notify = _add_command(commands, "notify", 'send a notification: livewatch notify "Backup done"')
    notify.add_argument("title")
    notify.add_argument("message", nargs="?", default="")
    notify.add_argument("--type", choices=TYPES, default="info", help="(default: info)")
    notify.add_argument("--url", help="link target: a path of Livewatch or a URL")
    for each in (alert, notify):
        each.add_argument(
            "--to", action="append", default=[], metavar="EMAIL", help="only this member; may be repeated"
        )


def _schedule(arguments: argparse.Namespace) -> dict[str, str] | None:
    """Return the schedule of the options, as the API takes it, which checks it; exits if a part lacks its whole."""
    more = {"zone": arguments.tz, "grace": arguments.grace, "max": arguments.max}
    given = {name: value for name, value in more.items() if value}
    if arguments.expect:
        return {"expect": arguments.expect, **given}
    if given:
        print("livewatch run: --tz, --grace and --max belong to --expect: say when runs are expected.", file=sys.stderr)
        raise SystemExit(ExitCode.MISCONFIGURED)
    return None


def _tag(value: str) -> str:
    tags, refused = tags_of(value)
    if refused:
        raise argparse.ArgumentTypeError(f"{value!r} is no tag: a tag has 1 to 40 characters")
    return tags[0]


def _total(value: str) -> float:
    number = _amount(value)
    if number == 0:
        raise argparse.ArgumentTypeError(f"{value} is not a positive number")
    return number


def _progress(value: str) -> tuple[str, float]:
    """Return the field of the API and the number."""
    if not value.endswith("%"):
        return "completed", _amount(value)
    percent = _amount(value.removesuffix("%"))
    if percent > 100:
        raise argparse.ArgumentTypeError(f"{value} is more than 100 per cent")
    return "percent", percent


def _amount(value: str) -> float:
    try:
        number = amount_of(int(value) if value.strip().isdigit() else float(value))
    except ValueError:
        number = None
    if number is None:
        raise argparse.ArgumentTypeError(f"{value} is not a number from 0 to 2**53")
    return number


def _strength(value: str) -> int:
    number = int(value)
    if not 0 <= number <= 100:
        raise argparse.ArgumentTypeError(f"{value} is not between 0 and 100")
    return number
