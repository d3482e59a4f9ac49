"""The outbox: mails with links and codes, sent by SMTP where there is a server, else appended to a file."""

import asyncio
import json
import os
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote, urlsplit

from local_supabase.auth.one_time_tokens import Link, LinkType
from local_supabase.mail.delivery import Mailer, MailError
from local_supabase.mail.link_template import DEFAULT_MAIL_LINK, fill
from local_supabase.mail.message import Mail
from local_supabase.postgres.data_directory import keep_owner

FILE_NAME = "mail.jsonl"
MAX_BYTES = 1024 * 1024
UNASKED = "If you did not ask for this, ignore this mail: nothing changes."
TEXTS = {
    LinkType.SIGNUP: ("Confirm your address", "Confirm that this address is yours, to finish signing up to {site}."),
    LinkType.INVITE: ("You have been invited", "You have been invited to {site}."),
    LinkType.MAGIC_LINK: ("Your sign-in link", "Sign in to {site} with this link."),
    LinkType.RECOVERY: ("Set a new password", "Somebody, hopefully you, asked for a new password at {site}."),
    LinkType.EMAIL_CHANGE_CURRENT: (
        "Confirm your new address", "Confirm that your account at {site} is to have another address: {new}.",
    ),
    LinkType.EMAIL_CHANGE_NEW: (
        "Confirm your new address", "Confirm that this is to be the address of your account at {site}.",
    ),
    LinkType.REAUTHENTICATION: ("Your code", "Enter this code at {site}, to confirm that it is you."),
}  # fmt: skip
"""Subject and first sentence of each mail."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """How mails leave.

    Attributes:
        mailer: sends them; None to append them to the file.
        site_url: address of the application.
        mail_link: template of the links in mails.
    """

    mailer: Mailer | None
    site_url: str
    mail_link: str = DEFAULT_MAIL_LINK


class Outbox:
    """Sends mails, or appends each as a line of JSON to a file of mode 0600, of which the older half is dropped."""

    def __init__(self, path: Path, delivery: Delivery) -> None:
        self._path = path
        self._delivery = delivery
        self._lock = asyncio.Lock()

    async def deliver(self, link: Link) -> None:
        """Queue the mail with a link and its code, or append it to the file.

        A mail that fails is logged: the answer must be the same for addresses with and without an account.
        """
        if self._delivery.mailer:
            with suppress(MailError):
                self._delivery.mailer.enqueue(self.mail_of(link))
            return
        line = json.dumps(
            {
                "to": link.to,
                "type": link.type.value,
                "sent_at": datetime.now(UTC).isoformat(),
                "action_link": link.url,
                "email_otp": link.code,
                "hashed_token": link.hashed_token,
            }
        )
        async with self._lock:
            await asyncio.to_thread(self._append, line + "\n")

    def mail_of(self, link: Link) -> Mail:
        """Return the mail with a link, or with the code of a reauthentication."""
        subject, sentence = TEXTS[link.type]
        site = urlsplit(self._delivery.site_url).netloc
        sentence = sentence.format(site=site, new=link.new_email)
        if link.type is LinkType.REAUTHENTICATION:
            return Mail(to=link.to, subject=subject, paragraphs=[sentence], code=link.code, closing=[UNASKED])
        closing = ["The link works once, and for an hour.", UNASKED]
        return Mail(
            to=link.to,
            subject=subject,
            paragraphs=[sentence],
            action=(subject, self._address(link)),
            closing=closing,
        )

    def _address(self, link: Link) -> str:
        quoted = {
            "Email": link.to,
            "RedirectTo": link.redirect_to,
            "Token": link.code,
            "TokenHash": link.hashed_token,
            "Type": link.type.verification,
        }
        values = {name: quote(value, safe="") for name, value in quoted.items()}
        values |= {"ConfirmationURL": link.url, "SiteURL": self._delivery.site_url.rstrip("/")}
        return fill(self._delivery.mail_link, values)

    def _append(self, line: str) -> None:
        if self._path.exists() and self._path.stat().st_size > MAX_BYTES:
            kept = self._path.read_bytes()[-MAX_BYTES // 2 :].partition(b"\n")[2]
            self._path.write_bytes(kept)
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "a") as file:
            file.write(line)
        keep_owner(self._path)
