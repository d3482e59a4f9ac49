"""The commands of main.py beside serving, and their arguments."""

import argparse

from services.infra.web_server import network_url
from services.operations.process_memory import pause_collection
from services.settings import Settings

MAX_KEY_DAYS = 3650


def arguments_of(argv: list[str] | None) -> argparse.Namespace:
    """Parse the command line; the default command is `serve`."""
    parser = argparse.ArgumentParser(
        prog="python main.py", description="Livewatch: live monitoring of long-running work."
    )
    commands = parser.add_subparsers(dest="command", metavar="command")
    commands.add_parser("serve", help="serve the app (the default)")
    commands.add_parser("check", help="verify the Supabase project and print a fix for each problem")
    commands.add_parser("migrate", help="apply missing migrations to the database at MIGRATE_DATABASE_URL")
    demo = commands.add_parser("demo", help="write a synthetic load until Ctrl-C, which deletes it")
    demo.add_argument(
        "--load", type=positive, default=50.0, metavar="N", help="changes per second, at most 10,000 (default: 50)"
    )
    demo.add_argument(
        "--streams",
        type=int,
        choices=range(1, 5001),
        default=50,
        metavar="N",
        help="number of streams, 1 to 5000 (default: 50)",
    )
    add_key_arguments(commands.add_parser("key", help="create, list and revoke ingest keys without a browser"))
    add_user_arguments(commands.add_parser("user", help="invite, list and remove users without a browser"))
    arguments = parser.parse_args(argv)
    arguments.command = arguments.command or "serve"
    return arguments


def add_key_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command `key`."""
    actions = parser.add_subparsers(dest="action", metavar="action", required=True)
    create = actions.add_parser("create", help="create a key and print it to standard output")
    create.add_argument("name", help="name of the key")
    create.add_argument(
        "--scope",
        metavar="SCOPES",
        help="scopes separated by commas: runs, alerts, notifications (the default), read, commands",
    )
    create.add_argument("--days", type=days, metavar="N", help="days until the key expires (default: never)")
    keys = actions.add_parser("list", help="print all keys")
    for each in (create, keys):
        each.add_argument("--org", help="id or name of the organisation")
    actions.add_parser("revoke", help="revoke a key").add_argument("key", metavar="ID", help="id or public id of a key")


def add_user_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command `user`."""
    actions = parser.add_subparsers(dest="action", metavar="action", required=True)
    add = actions.add_parser("add", help="print a link by which a person joins, with a new account if need be")
    add.add_argument("email", metavar="EMAIL", help="the person's e-mail address")
    add.add_argument("--org", help="id or name of the organisation; a new name creates one")
    add.add_argument("--admin", action="store_true", help="make the person an admin rather than an operator")
    add.add_argument(
        "--url", help="address at which the person reaches the app (default: host and port of the settings)"
    )
    reset = actions.add_parser("reset", help="print a link by which a person sets a new password")
    reset.add_argument("email", metavar="EMAIL", help="the person's e-mail address")
    reset.add_argument(
        "--url", help="address at which the person reaches the app (default: host and port of the settings)"
    )
    actions.add_parser("list", help="print all users")
    actions.add_parser("remove", help="remove a user from everything").add_argument("email", metavar="EMAIL")


def days(value: str) -> int:
    """Parse a number of days up to 10 years, for argparse."""
    number = int(value)
    if not 0 < number <= MAX_KEY_DAYS:
        raise argparse.ArgumentTypeError(f"{value} is not between 1 and {MAX_KEY_DAYS}")
    return number


def positive(value: str) -> float:
    """Parse a number above 0 and up to 10,000, for argparse."""
    number = float(value)
    if not 0 < number <= 10_000:
        raise argparse.ArgumentTypeError(f"{value} is not above 0 and at most 10,000")
    return number


async def run_command(arguments: argparse.Namespace, settings: Settings) -> int:
    """Run a command other than `serve`; returns the exit code."""
    if arguments.command == "key":
        return await run_key_action(arguments, settings)
    if arguments.command == "user":
        return await run_user_action(arguments, settings)
    # Each command imports what it needs, and serving needs none of it.
    with pause_collection():
        from services.operations import commands  # noqa: PLC0415
        from services.operations.synthetic_load import Load  # noqa: PLC0415

    match arguments.command:
        case "check":
            return await commands.check_command(settings)
        case "migrate":
            return await commands.migrate_command(settings)
        case _:
            load = Load(rate=arguments.load, streams=arguments.streams)
            return await commands.demo_command(settings, load)


async def run_key_action(arguments: argparse.Namespace, settings: Settings) -> int:
    """Run an action of the command `key`; returns the exit code."""
    with pause_collection():
        from services.operations.administration import keys  # noqa: PLC0415

    match arguments.action:
        case "create":
            return await keys.create_key_command(
                settings, name=arguments.name, org=arguments.org, scopes=arguments.scope, days=arguments.days
            )
        case "list":
            return await keys.list_keys_command(settings, org=arguments.org)
        case _:
            return await keys.revoke_key_command(settings, key=arguments.key)


async def run_user_action(arguments: argparse.Namespace, settings: Settings) -> int:
    """Run an action of the command `user`; returns the exit code."""
    with pause_collection():
        from services.operations.administration import reset, users  # noqa: PLC0415

    match arguments.action:
        case "add":
            address = arguments.url or network_url(settings, settings.port)
            return await users.add_user_command(
                settings, email=arguments.email, org=arguments.org, is_admin=arguments.admin, address=address
            )
        case "reset":
            address = arguments.url or network_url(settings, settings.port)
            return await reset.reset_user_command(settings, email=arguments.email, address=address)
        case "list":
            return await users.list_users_command(settings)
        case _:
            return await users.remove_user_command(settings, email=arguments.email)
