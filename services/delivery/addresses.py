"""Addresses of the network that messages may go to: none of this machine or of a private network, unless allowed."""

import asyncio
import socket
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

from services.errors import AddressRefused

RESOLVE_SECONDS = 5.0
NAT64 = IPv6Network("64:ff9b::/96")


async def public_addresses(host: str, port: int, *, allow_private: bool = False) -> list[str]:
    """Resolve a host; returns its addresses.

    Args:
        host: A name or an IP address.
        port: The port.
        allow_private: Whether addresses of this machine and of private networks are right too.

    Raises:
        AddressRefused: The name is unknown, or one of its addresses is private; the message says which.
    """
    try:
        async with asyncio.timeout(RESOLVE_SECONDS):
            addresses = await resolved(host, port)
    except TimeoutError:
        raise AddressRefused(f"{host} was not resolved within {RESOLVE_SECONDS:.0f} s.", is_final=False) from None
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or "not a host name"
        raise AddressRefused(f"{host} was not found: {reason}.", is_final=False) from error
    for each in addresses:
        if not allow_private and not is_public(each):
            raise AddressRefused(
                f"{host} is {each}, an address of this machine or of a private network. "
                "Set LIVEWATCH_PRIVATE_CHANNELS=1 to allow such channels."
            )
    return addresses


async def resolved(host: str, port: int) -> list[str]:
    """Return the addresses of a host, as the system knows them; raises OSError or UnicodeError if there is none."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(each[4][0]) for each in found))


def is_public(text: str) -> bool:
    """Whether an IP address is of the public internet, also inside of an IPv6 address that carries an IPv4 one."""
    address: IPv4Address | IPv6Address = ip_address(text.partition("%")[0])
    if isinstance(address, IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
        if inner is None and address in NAT64:
            inner = IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            address = inner
    return address.is_global and not address.is_multicast
