"""Endpoints of devices: which URLs may be one."""

import re
from ipaddress import ip_address
from urllib.parse import urlsplit

from services.delivery.addresses import is_public
from services.errors import NotAccepted

MAX_ENDPOINT_CHARACTERS = 1000
PRINTABLE = re.compile(r"[!-~]+")
HTTPS_PORT = 443
ADVICE = "Push services of browsers have public addresses and https; subscribe again in the browser."


def checked_endpoint(endpoint: str) -> str:
    """Return a URL that may be the endpoint of a device; raises NotAccepted, which names the host only.

    The URL lets anybody who knows it send messages, so that it is never part of a message. Names are checked again when
    they are resolved, by `PublicNetwork`.
    """
    if not PRINTABLE.fullmatch(endpoint) or len(endpoint) > MAX_ENDPOINT_CHARACTERS:
        raise NotAccepted(f"The endpoint is not a URL of at most {MAX_ENDPOINT_CHARACTERS} characters. {ADVICE}")
    try:
        parts = urlsplit(endpoint)
        port = parts.port
    except ValueError as error:
        raise NotAccepted(f"The endpoint is not a URL. {ADVICE}") from error
    host = (parts.hostname or "").rstrip(".")
    if parts.scheme != "https":
        raise NotAccepted(f"The endpoint has the scheme {parts.scheme[:20]!r} in place of https. {ADVICE}")
    if parts.username is not None or "\\" in parts.netloc or not host or port not in (None, HTTPS_PORT):
        raise NotAccepted(f"The endpoint has a user, another port, or no host: {host[:100]!r}. {ADVICE}")
    if not _may_be_public(host):
        raise NotAccepted(f"The host {host[:100]!r} of the endpoint is not a public one. {ADVICE}")
    return endpoint


def is_of_apple(endpoint: str) -> bool:
    """Whether a device ends its subscription after some messages that show nothing, as Safari does."""
    host = urlsplit(endpoint).hostname or ""
    return host == "push.apple.com" or host.endswith(".push.apple.com")


def _may_be_public(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return "." in host and not host.endswith((".localhost", ".local", ".internal", ".home.arpa"))
    return is_public(host)
