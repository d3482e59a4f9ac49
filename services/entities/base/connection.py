"""The status of a connection, as a person sees it."""

from services.entities.base.status import StyledStatus


class ConnectionStatus(StyledStatus):
    """Whether what is shown is live."""

    CONNECTING = "connecting", "caution", "sync", "Connecting", True
    CONNECTED = "connected", "positive", "wifi", "Connected"
    DISCONNECTED = "disconnected", "neutral", "cloud_off", "Offline"
    ERROR = "error", "critical", "error_outline", "Error"
