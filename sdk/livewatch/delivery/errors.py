"""Delivery errors: why a round failed and when to try again."""

MISCONFIGURED_RETRY_SECONDS = 60.0


class DeliveryError(Exception):
    """A delivery round failed; queued operations are kept.

    Attributes:
        retry_after: Seconds until the next round; None to back off.
        is_requested: Whether the server requested the wait, which `flush` then respects.
    """

    def __init__(self, reason: str, *, retry_after: float | None = None, is_requested: bool = False) -> None:
        super().__init__(reason)
        self.retry_after = retry_after
        self.is_requested = is_requested

    @property
    def reason(self) -> str:
        """What failed and how to fix it, without a full stop."""
        return str(self).rstrip(".")


class MisconfiguredError(DeliveryError):
    """Only a person can fix it: the key is rejected, or no Livewatch answers at the URL."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, retry_after=MISCONFIGURED_RETRY_SECONDS)


class LockedError(DeliveryError):
    """Another process is delivering."""
