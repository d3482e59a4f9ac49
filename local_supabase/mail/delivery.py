"""Delivery of mails by SMTP, in the background: a bounded queue, and retries where another try may succeed."""

import asyncio
import ssl
from contextlib import suppress
from email.message import EmailMessage
from typing import Self

import structlog

from local_supabase.mail.message import AddressError, Mail, compose, one_line
from local_supabase.mail.smtp_url import SmtpServer

log = structlog.get_logger()

QUEUE_SIZE = 200
WORKERS = 2
MAX_DIRECT = 4
"""Mails that are sent at a time beside the queue."""
SMTP_TIMEOUT_SECONDS = 15.0
RETRY_SECONDS = (2.0, 10.0)
"""Delays before the second and the third try."""
FLUSH_SECONDS = 2.0
"""Time for queued mails to leave before the process ends."""
MAX_REASON_CHARACTERS = 200
REFUSED = 500
AUTHENTICATION_REQUIRED = 530
TOO_LARGE = 552


class MailError(Exception):
    """A mail was not sent; the message names the server and the reason.

    Args:
        message: Sentence for who waits for the mail.
        is_final: Whether another try soon cannot succeed.
        is_refused: Whether this mail or its recipient is refused for good, whatever becomes of the server's settings.
    """

    def __init__(self, message: str, *, is_final: bool = False, is_refused: bool = False) -> None:
        super().__init__(message)
        self.is_final = is_final or is_refused
        self.is_refused = is_refused


class Mailer:
    """Sends mails through one server; an asynchronous context manager."""

    def __init__(self, server: SmtpServer, *, retries: tuple[float, ...] = RETRY_SECONDS) -> None:
        self.server = server
        self._retries = retries
        self._queue: asyncio.Queue[tuple[EmailMessage, asyncio.Future[None]]] = asyncio.Queue(QUEUE_SIZE)
        self._workers: list[asyncio.Task[None]] = []
        self._direct = asyncio.Semaphore(MAX_DIRECT)

    async def __aenter__(self) -> Self:
        self._workers = [asyncio.create_task(self._work(), name=f"mail {number}") for number in range(WORKERS)]
        return self

    async def __aexit__(self, *_: object) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(FLUSH_SECONDS):
                await self._queue.join()
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)
        while not self._queue.empty():
            self._queue.get_nowait()[1].cancel()

    def enqueue(self, mail: Mail) -> "asyncio.Future[None]":
        """Queue a mail, and return at once.

        Returns:
            A future that ends when the server has accepted the mail, or with MailError; it may be ignored.

        Raises:
            MailError: The recipient is not an address, or too many mails wait already.
        """
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        try:
            self._queue.put_nowait((self._composed(mail), done))
        except asyncio.QueueFull as error:
            log.error("mail dropped, the queue is full", server=self.server.name)
            raise MailError("Too many mails wait to be sent. Try again in some minutes.") from error
        # Mails that nobody waits for may fail, too.
        done.add_done_callback(lambda each: each.cancelled() or each.exception())
        return done

    async def send(self, mail: Mail) -> None:
        """Send a mail and wait until the server has accepted it; raises MailError."""
        await asyncio.shield(self.enqueue(mail))

    async def send_once(self, mail: Mail) -> None:
        """Send a mail beside the queue with a single try, for who tries again later; raises MailError."""
        message = self._composed(mail)
        async with self._direct:
            await _send(message, self.server)

    def _composed(self, mail: Mail) -> EmailMessage:
        try:
            return compose(mail, self.server)
        except AddressError as error:
            raise MailError(str(error), is_refused=True) from error

    async def _work(self) -> None:
        while True:
            message, done = await self._queue.get()
            try:
                await self._deliver(message)
            except MailError as error:
                domain = str(message["To"]).rpartition("@")[2]
                log.error("mail not sent", server=self.server.name, domain=domain, cause=str(error))
                if not done.done():
                    done.set_exception(error)
            else:
                if not done.done():
                    done.set_result(None)
            finally:
                self._queue.task_done()

    async def _deliver(self, message: EmailMessage) -> None:
        for delay in (*self._retries, None):
            try:
                return await _send(message, self.server)
            except MailError as error:
                if error.is_final or delay is None:
                    raise
                log.warning("mail not sent yet", server=self.server.name, delay=delay, cause=str(error))
                await asyncio.sleep(delay)


async def _send(message: EmailMessage, server: SmtpServer) -> None:
    # Imported here, because most servers send no mail.
    import aiosmtplib  # noqa: PLC0415

    try:
        await aiosmtplib.send(
            message,
            hostname=server.host,
            port=server.port,
            username=server.username or None,
            password=server.password or None,
            use_tls=server.tls,
            # A password never travels in the clear.
            start_tls=True if server.username and not server.tls else None,
            # Without one, TLS only keeps onlookers out, and relays on the same machine have certificates of their own.
            validate_certs=server.tls or bool(server.username),
            timeout=SMTP_TIMEOUT_SECONDS,
        )
    except aiosmtplib.SMTPAuthenticationError as error:
        # Of the answer only the code: it may repeat what was sent.
        raise MailError(
            f"The mail server {server.name} refused user name or password ({error.code}).",
            is_final=error.code >= REFUSED,
        ) from error
    except aiosmtplib.SMTPRecipientsRefused as error:
        refusal = error.recipients[0] if error.recipients else None
        code = refusal.code if refusal else REFUSED
        reason = f": {refusal.code} {_brief(refusal.message)}" if refusal else "."
        raise MailError(
            f"The mail server {server.name} refused the recipient{reason}",
            is_final=code >= REFUSED,
            is_refused=code >= REFUSED and code != AUTHENTICATION_REQUIRED,
        ) from error
    except aiosmtplib.SMTPResponseException as error:
        reason = f"{error.code} {_brief(error.message)}"
        # What it says to the greeting and of the sender is of the app's settings, but for a mail that is too large.
        is_of_mail = isinstance(error, aiosmtplib.SMTPDataError) or error.code == TOO_LARGE
        raise MailError(
            f"The mail server {server.name} refused the mail: {reason}",
            is_final=error.code >= REFUSED,
            is_refused=error.code >= REFUSED and is_of_mail,
        ) from error
    except aiosmtplib.SMTPNotSupported as error:
        raise MailError(
            f"The mail server {server.name} cannot send this mail: {_brief(str(error))}", is_refused=True
        ) from error
    except (aiosmtplib.SMTPException, OSError, ValueError) as error:
        if isinstance(error, ssl.SSLCertVerificationError) or isinstance(error.__cause__, ssl.SSLCertVerificationError):
            raise MailError(
                f"The TLS certificate of the mail server {server.name} could not be verified.", is_final=True
            ) from error
        if "STARTTLS" in str(error):
            raise MailError(
                f"The mail server {server.name} offers no STARTTLS, without which no password is sent; use smtps:// or "
                "no user name.",
                is_final=True,
            ) from error
        raise MailError(f"The mail server {server.name} does not respond ({type(error).__name__}).") from error


def _brief(text: str) -> str:
    return one_line(text, MAX_REASON_CHARACTERS)
