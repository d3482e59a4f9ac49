"""Asks for a password again before an account changes, so that an open window alone takes no account over."""

from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from uuid import UUID

from pydantic import SecretStr

from services.auth.client import Auth
from services.auth.identity import Identity
from services.errors import AuthError, TooManyAttempts
from services.infra.rate_limiter import Rate, RateLimiter

GUESSES = Rate(per_second=1 / 60, burst=5)


class PasswordCheck:
    """Verifies users' passwords with the Auth server; limits wrong ones per user.

    Args:
        auth: Client of the Auth server.
        clock: Monotonic time in seconds.
    """

    def __init__(self, auth: Auth, *, clock: Callable[[], float] = monotonic) -> None:
        self._auth = auth
        self._guesses: RateLimiter[UUID] = RateLimiter(GUESSES, clock=clock)

    async def verify(self, identity: Identity, password: SecretStr, *, address: str) -> None:
        """Verify the password of a signed-in user.

        Args:
            identity: The user.
            password: The user's present password.
            address: IP address of the browser, to limit guessing by.

        Raises:
            WrongCredentials: It is another one.
            TooManyAttempts: It was wrong too often.
            AuthUnavailable: The Auth server did not respond.
        """
        if self._guesses.acquire(identity.user_id):
            raise TooManyAttempts("The password was wrong too often. Wait a minute, then try again.")
        tokens = await self._auth.sign_in(identity.email, password, client_address=address)
        self._guesses.refund(identity.user_id)
        with suppress(AuthError):
            await self._auth.sign_out(tokens)
