"""Addresses of a provider that may be trusted with tokens and for keys."""

import ipaddress
from urllib.parse import urlsplit


def is_safe(url: str) -> bool:
    """Return whether a URL may be asked for keys and tokens: by TLS, or on this machine."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        if parts.scheme == "https":
            return bool(host)
        if parts.scheme != "http":
            return False
        return host == "localhost" or host.endswith(".localhost") or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
