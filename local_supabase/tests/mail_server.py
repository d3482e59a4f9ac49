"""A real SMTP server on a free loopback port, whose mails a test reads."""

import asyncio
import re
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope

from local_supabase.retry import poll
from local_supabase.tests.speed import deadline


class MailServer:
    """Keeps what it accepts; `answers` are given first, one to each mail, before it accepts any.

    Attributes:
        port: where it listens.
        envelopes: sender, recipients and content as they came.
        refusals_by_address: given to an address in turn, before it is accepted.
    """

    def __init__(self) -> None:
        self.port = 0
        self.envelopes: list[Envelope] = []
        self.answers: list[str] = []
        self.refusals: list[str] = []
        self.refusals_by_address: dict[str, list[str]] = {}

    async def handle_RCPT(  # aiosmtpd's name
        self, _server: SMTP, _session: object, envelope: Envelope, address: str, _options: object
    ) -> str:
        if self.refusals:
            return self.refusals.pop(0)
        if given := self.refusals_by_address.get(address):
            return given.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, _session: object, envelope: Envelope) -> str:
        if self.answers:
            return self.answers.pop(0)
        self.envelopes.append(envelope)
        return "250 OK"

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}?from=Watch%20<watch@example.org>"

    @property
    def mails(self) -> list[EmailMessage]:
        return [parsed(each) for each in self.envelopes]

    def to(self, address: str) -> list[EmailMessage]:
        """Return the mails to an address, in the order of their arrival."""
        return [parsed(each) for each in self.envelopes if address in each.rcpt_tos]

    async def mail_to(self, address: str, *, number: int = 1) -> EmailMessage:
        """Wait for mail `number` to an address."""
        await poll(lambda: len(self.to(address)) >= number, every=0.01, within=deadline(10))
        return self.to(address)[number - 1]


def parsed(envelope: Envelope) -> EmailMessage:
    """Return the message of an envelope."""
    assert isinstance(envelope.content, bytes)
    message = message_from_bytes(envelope.content, policy=default)
    assert isinstance(message, EmailMessage)
    return message


def text_of(mail: EmailMessage) -> str:
    """Return the plain text of a mail."""
    part = mail.get_body(("plain",))
    assert part
    return str(part.get_content()).replace("\r\n", "\n")


def link_in(mail: EmailMessage) -> str:
    """Return the only link of a mail's text."""
    (link,) = re.findall(r"https?://\S+", text_of(mail))
    return str(link)


@asynccontextmanager
async def mail_server(
    *, tls: ssl.SSLContext | None = None, authenticator: Callable[..., Any] | None = None, **options: Any
) -> AsyncIterator[MailServer]:
    """Serve; with `tls` by STARTTLS, with an `authenticator` for its users only."""
    server = MailServer()
    if tls:
        options["tls_context"] = tls
    if authenticator:
        options |= {"authenticator": authenticator, "auth_required": tls is not None}

    def protocol() -> SMTP:
        return SMTP(server, enable_SMTPUTF8=True, **options)

    listening = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", 0)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()
