"""Messages: a text and an HTML part with the same words, and headers that no name can break out of."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import localtime, make_msgid
from html import escape

from local_supabase.mail.smtp_url import ADDRESS, SmtpServer

MAX_SUBJECT_CHARACTERS = 160
MAX_NAME_CHARACTERS = 60
# Control characters, and those that change the direction of what follows them.
UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]+")

ENCODED_WORD = re.compile(r"=\?(?=[^?\s]+\?[bqBQ]\?)")
"""Beginning of what RFC 2047 decodes: in a name it could hide the characters above."""


class AddressError(ValueError):
    """The recipient's address is not one address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """One mail; `action` is the label and URL of its link, `code` is shown large."""

    to: str
    subject: str
    paragraphs: Sequence[str]
    action: tuple[str, str] | None = None
    code: str = ""
    closing: Sequence[str] = ()


def compose(mail: Mail, server: SmtpServer) -> EmailMessage:
    """Return the message of a mail; raises AddressError unless it goes to exactly one address."""
    if not ADDRESS.fullmatch(mail.to):
        raise AddressError("The recipient is not an e-mail address.")
    message = EmailMessage(policy=SMTP)
    message["From"] = _address(server.sender, server.sender_name)
    message["To"] = _address(mail.to)
    message["Subject"] = ENCODED_WORD.sub("= ?", one_line(mail.subject, MAX_SUBJECT_CHARACTERS))
    message["Date"] = localtime()
    message["Message-ID"] = make_msgid(domain=_ascii_domain(server.sender))
    # RFC 3834: vacation responders do not answer it.
    message["Auto-Submitted"] = "auto-generated"
    message["X-Auto-Response-Suppress"] = "All"
    message.set_content(_text(mail))
    message.add_alternative(_html(mail), subtype="html")
    return message


def one_line(text: str, limit: int) -> str:
    """Return a text without control and direction characters, of at most `limit` characters."""
    clean = " ".join(UNSAFE.sub(" ", text).split())
    return clean if len(clean) <= limit else clean[: limit - 1].rstrip() + "…"


def _address(address: str, name: str = "") -> Address:
    local, _, _ = address.rpartition("@")
    return Address(display_name=one_line(name, MAX_NAME_CHARACTERS), username=local, domain=_ascii_domain(address))


def _ascii_domain(address: str) -> str:
    domain = address.rpartition("@")[2]
    try:
        return domain.encode("idna").decode()
    except UnicodeError as error:
        raise AddressError("The domain of the address is not a domain.") from error


def _text(mail: Mail) -> str:
    parts = [*mail.paragraphs]
    if mail.action:
        parts.append(f"{mail.action[0]}:\n{mail.action[1]}")
    if mail.code:
        parts.append(mail.code)
    return "\n\n".join([*parts, *mail.closing]) + "\n"


def _html(mail: Mail) -> str:
    parts = [_paragraph(each) for each in mail.paragraphs]
    if mail.action:
        label, url = escape(mail.action[0]), escape(mail.action[1])
        parts.append(
            f'<p><a href="{url}" style="display:inline-block;padding:10px 18px;border-radius:6px;background:#3b5bdb;'
            f'color:#ffffff;text-decoration:none;font-weight:600">{label}</a></p>'
        )
    if mail.code:
        parts.append(f'<p style="font-size:22px;letter-spacing:4px;font-family:monospace">{escape(mail.code)}</p>')
    parts += [_paragraph(each, color="#5f6570") for each in mail.closing]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"></head>\n<body style="margin:0;padding:24px;'
        "font-family:-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif;font-size:15px;line-height:1.5;"
        'color:#1c1d21">\n' + "\n".join(parts) + "\n</body></html>\n"
    )


def _paragraph(text: str, *, color: str = "inherit") -> str:
    return f'<p dir="auto" style="margin:0 0 16px;color:{color}">{escape(text)}</p>'
