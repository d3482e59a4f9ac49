"""SMTP servers as URLs, such as `smtp://user:password@mail.example.org:587?from=Watch%20<watch@example.org>`."""

import re
from dataclasses import dataclass, field
from email.utils import getaddresses
from typing import Self
from urllib.parse import parse_qsl, unquote, urlsplit

DEFAULT_PORTS = {"smtp": 587, "smtps": 465}
ADDRESS = re.compile(r"[^\s@,;<>\"\x00-\x1f\x7f]{1,64}@[^\s@,;<>\"\x00-\x1f\x7f]{1,255}")
"""One address and nothing that would end a header or an SMTP command."""
CONTROLS = re.compile(r"[\x00-\x1f\x7f]")
EXAMPLE = "smtp://user:password@mail.example.org:587?from=Watch%20<watch@example.org>"


class SmtpUrlError(ValueError):
    """An SMTP URL is malformed; the message names what is wrong, and never holds the URL or its password."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SmtpServer:
    """A mail server, and the sender of mails through it.

    Attributes:
        host: name or address.
        port: TCP port.
        tls: whether TLS begins with the connection; otherwise STARTTLS is used where the server offers it.
        username: to sign in with; empty for no sign-in.
        password: of the user.
        sender: address of the sender.
        sender_name: shown with the address; may be empty.
    """

    host: str
    port: int
    tls: bool
    username: str
    password: str = field(repr=False)
    sender: str
    sender_name: str

    @property
    def name(self) -> str:
        """Host and port, as messages name the server."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @classmethod
    def parse(cls, url: str) -> Self:
        """Return the server of a URL with percent-decoded parts; raises SmtpUrlError."""
        if CONTROLS.search(url.strip()):
            raise SmtpUrlError("it contains a control character, such as a line break")
        scheme = url.strip().partition("://")[0].lower()
        if scheme not in DEFAULT_PORTS or "://" not in url:
            raise SmtpUrlError(f"it must begin with smtp:// or smtps://, like {EXAMPLE}")
        try:
            parts = urlsplit(url.strip())
            host, port = parts.hostname, parts.port
        except ValueError as error:
            raise SmtpUrlError(
                "host or port cannot be read: the port is a number up to 65535, and the characters / ? # @ : [ ] of a "
                "user name or password are percent-encoded"
            ) from error
        if not host or any(each.isspace() for each in host):
            raise SmtpUrlError(f"it names no host, like {EXAMPLE}")
        if port == 0:
            raise SmtpUrlError("the port cannot be 0")
        if parts.path not in ("", "/") or parts.fragment:
            raise SmtpUrlError("nothing but ?from=… follows the host: / ? # in a password are percent-encoded")
        if (parts.username is None) != (parts.password is None):
            raise SmtpUrlError("user name and password belong together: name both or none")
        username, password = unquote(parts.username or ""), unquote(parts.password or "")
        if CONTROLS.search(username + password):
            raise SmtpUrlError("user name or password contain a control character")
        if parts.password is not None and not (username and password):
            raise SmtpUrlError("the user name or the password is empty")
        sender_name, sender = _sender(parts.query, username)
        return cls(
            host=host,
            port=port or DEFAULT_PORTS[scheme],
            tls=scheme == "smtps",
            username=username,
            password=password,
            sender=sender,
            sender_name=sender_name,
        )


def _sender(query: str, username: str) -> tuple[str, str]:
    # `+` is itself here, as in addresses such as watch+alerts@example.org.
    values = parse_qsl(query.replace("+", "%2B"), keep_blank_values=True)
    if unknown := {name for name, _ in values} - {"from"}:
        raise SmtpUrlError(f"the parameter {sorted(unknown)[0][:40]!r} is not known: there is only from")
    if len(values) > 1:
        raise SmtpUrlError("from is given twice")
    text = values[0][1].strip() if values else username
    found = getaddresses([text])
    name, address = found[0] if len(found) == 1 else ("", "")
    if CONTROLS.search(text) or not ADDRESS.fullmatch(address):
        raise SmtpUrlError("from is not an address like watch@example.org or Watch%20<watch@example.org>")
    return name, address
