"""The state of a connection, as a person sees it."""

from enum import StrEnum


class ConnectionStatus(StrEnum):
    """Whether what is shown is live."""

    CONNECTING = "connecting"
    CONNECTED = "connected"
    DISCONNECTED = "disconnected"
    ERROR = "error"
