"""Who may enter the demo without a password: a person at this machine, and nobody whom a proxy lets through."""

from ipaddress import ip_address

from starlette.requests import HTTPConnection

from pages.page.services import Services
from services.infra.hosts import host_name, is_loopback_name
from services.infra.proxies import is_forwarded


def is_local(connection: HTTPConnection) -> bool:
    """Whether a request came directly from this machine, and not for another machine or under another name.

    A proxy or tunnel on this machine connects from the loopback address, too, for anybody.
    """
    try:
        is_from_here = connection.client is not None and ip_address(connection.client.host).is_loopback
    except ValueError:
        return False
    name = host_name(connection.headers.get("host", ""))
    return is_from_here and not is_forwarded(connection.scope) and name is not None and is_loopback_name(name)


def demo_refusal(services: Services, connection: HTTPConnection) -> str | None:
    """Return why the demo is not offered for a request, empty if there is none at all; None if it is offered."""
    if services.enter_demo is None:
        return services.no_demo
    if is_forwarded(connection.scope):
        return "The demo is not offered through a proxy. Open the app on its own machine, at a localhost address."
    if not is_local(connection):
        return "The demo is offered only on the app's own machine, at a localhost address."
    return None
