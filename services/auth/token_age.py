"""How long an access token lasts, whatever this machine's clock says."""

import time
from collections.abc import Callable
from datetime import timedelta

from services.auth.identity import Identity


class TokenAge:
    """Remaining life of one access token, by two clocks, of which the more cautious counts.

    The wall clock may be wrong or jump, and the monotonic clock stands still while a laptop sleeps. A token that was
    just issued shows how far this machine's wall clock is from the Auth server's.

    Args:
        identity: The identity in the token.
        is_new: Whether the token was issued just now.
        monotonic: Returns seconds that never jump.
        wall: Returns seconds since the epoch.
    """

    def __init__(
        self,
        identity: Identity,
        *,
        is_new: bool,
        monotonic: Callable[[], float],
        wall: Callable[[], float] = time.time,
    ) -> None:
        expires_at = identity.expires_at.timestamp()
        issued_at = identity.claims.get("iat")
        is_dated = isinstance(issued_at, int | float) and issued_at < expires_at
        now = wall()
        began = float(issued_at) if is_dated and issued_at is not None else now
        self._monotonic, self._wall = monotonic, wall
        self._wall_end = expires_at + (now - began if is_new else 0.0)
        self._monotonic_end = monotonic() + self._wall_end - now
        self.lifetime = timedelta(seconds=max(0.0, expires_at - began))
        """Time from issue to expiry."""

    @property
    def remaining(self) -> timedelta:
        """Time until the token expires; negative afterwards."""
        seconds = min(self._wall_end - self._wall(), self._monotonic_end - self._monotonic())
        return timedelta(seconds=seconds)
