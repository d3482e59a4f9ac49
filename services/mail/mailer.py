"""The app's mail service: sends through the SMTP server of the settings, in the background."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pydantic import SecretStr

from local_supabase.mail.delivery import Mailer, MailError
from local_supabase.mail.message import Mail
from local_supabase.mail.smtp_url import SmtpServer
from services.errors import MailNotSent

__all__ = ["Mail", "MailService", "open_mail"]


class MailService:
    """Sends mails; see `open_mail`."""

    def __init__(self, mailer: Mailer) -> None:
        self._mailer = mailer

    async def send(self, mail: Mail) -> None:
        """Send a mail, and wait until the server has accepted it; raises MailNotSent."""
        try:
            await self._mailer.send(mail)
        except MailError as error:
            raise MailNotSent(str(error), is_refused=error.is_refused) from error

    async def send_once(self, mail: Mail) -> None:
        """Send a mail with a single try, for who tries again later; raises MailNotSent."""
        try:
            await self._mailer.send_once(mail)
        except MailError as error:
            raise MailNotSent(str(error), is_refused=error.is_refused) from error

    def send_later(self, mail: Mail) -> None:
        """Queue a mail that nobody waits for; raises MailNotSent if too many wait already."""
        try:
            self._mailer.enqueue(mail)
        except MailError as error:
            raise MailNotSent(str(error), is_refused=error.is_refused) from error


@asynccontextmanager
async def open_mail(url: SecretStr | None) -> AsyncIterator[MailService | None]:
    """Yield the mail service of an SMTP URL, None without one; mails that wait leave at the end."""
    if url is None:
        yield None
        return
    async with Mailer(SmtpServer.parse(url.get_secret_value())) as mailer:
        yield MailService(mailer)
