"""The command `user reset`: prints a link to a new password."""

from services.auth.client import Auth
from services.auth.mail_links import MailLinks
from services.errors import AuthError, ConfigurationError
from services.infra.backend import Backend
from services.operations.administration.owner import (
    Connection,
    UsageError,
    as_owner_of,
    list_choices,
    one_line,
    read_rows,
    report,
)
from services.settings import Settings

_FIND = "select id, email from auth.users where lower(email) = %s and deleted_at is null"
_KNOWN = "select email from auth.users where email is not null and deleted_at is null order by email"
_NOTE = "select private.note_person(%s, 'password.link_created')"


async def reset_user_command(settings: Settings, *, email: str, address: str) -> int:
    """Print a link, alone, to standard output by which a person sets a new password; return the exit code.

    Args:
        settings: The settings of the app.
        email: The person's address.
        address: URL at which the person reaches the app.
    """

    async def reset(connection: Connection, backend: Backend) -> None:
        if backend.service_key is None:
            raise ConfigurationError(
                "SUPABASE_SECRET_KEY is not set. Set it to a secret key of the project, with which Auth makes links: "
                "Project Settings, API keys."
            )
        found = await (await connection.execute(_FIND, [email.strip().lower()])).fetchone()
        if found is None:
            known = [each.email for each in await read_rows(connection, _KNOWN)]
            raise UsageError(f"There is no user {one_line(email)!r}. {list_choices('Users', known)}")
        person, account = found
        async with Auth(url=backend.api_url, key=backend.anon_key, service_key=backend.service_key) as auth:
            try:
                async with MailLinks(auth) as links:
                    link = await links.recovery_link(account, address=address)
            except AuthError as error:
                raise ConfigurationError(f"Auth made no link: {error} Is SUPABASE_SECRET_KEY the project's?") from error
        await connection.execute(_NOTE, [person])
        print(link.get_secret_value(), flush=True)
        report(
            f"{one_line(account)} sets a new password by this link, which works once and for an hour. A newer link "
            "takes its place."
        )

    return await as_owner_of(settings, reset)
