"""Reverse proxies: which are trusted, and how to tell that a request came through one."""

from collections.abc import Iterable
from ipaddress import ip_address, ip_network

from starlette.types import Scope

FORWARDED = "livewatch.forwarded"
FORWARDING_HEADERS = frozenset({b"forwarded", b"via", b"x-real-ip", b"true-client-ip", b"x-client-ip"})
FORWARDING_PREFIXES = (b"x-forwarded-", b"x-original-", b"cf-", b"x-envoy-", b"x-cluster-", b"x-amzn-", b"fly-")
"""Headers by which proxies, tunnels and content delivery networks give themselves away."""


class TrustedProxies:
    """Addresses whose `X-Forwarded-*` headers count.

    Args:
        networks: IPs or CIDRs.
    """

    def __init__(self, networks: Iterable[str]) -> None:
        self._networks = [ip_network(each, strict=False) for each in networks]

    def trusts(self, client: tuple[str, int] | None) -> bool:
        """Whether the connection's other end is one of them."""
        try:
            address = ip_address(client[0]) if client else None
        except ValueError:
            return False
        return address is not None and any(address in network for network in self._networks)


def note_forwarding(scope: Scope) -> None:
    """Remember in the scope whether a proxy forwarded the request, before its headers are hidden."""
    scope[FORWARDED] = is_forwarded(scope)


def is_forwarded(scope: Scope) -> bool:
    """Whether a proxy forwarded the request, trusted or not: then its client may be anybody."""
    return bool(scope.get(FORWARDED)) or any(
        name in FORWARDING_HEADERS or name.startswith(FORWARDING_PREFIXES) for name, _ in scope["headers"]
    )
