"""Signing in, refreshing and signing out at the Auth server, by the official client."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Self

import httpx
import supabase_auth
from pydantic import SecretStr
from supabase_auth import AsyncGoTrueClient
from supabase_auth.errors import AuthApiError, AuthInvalidCredentialsError

from services.auth.identity import Identity
from services.errors import AuthError, AuthUnavailable, SessionExpired, WrongCredentials

TIMEOUT = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """What the Auth server gives for one session; both are secrets."""

    access_token: SecretStr
    refresh_token: SecretStr

    @property
    def identity(self) -> Identity:
        """The claims of the access token; raises SessionExpired when it is not one."""
        return Identity.from_token(self.access_token.get_secret_value())


class Auth:
    """The Auth server of one Supabase project. `url` is the project's, `key` its anon key. Close with `aclose`.

    The official client holds one session each, so every call takes a fresh one; they share one HTTP client, which is
    what costs.
    """

    def __init__(self, *, url: str, key: SecretStr) -> None:
        self._url = f"{url.rstrip('/')}/auth/v1"
        self._key = key
        self._http = httpx.AsyncClient(timeout=TIMEOUT, follow_redirects=True)

    async def sign_in(self, email: str, password: SecretStr) -> Tokens:
        """Open a session. Raises WrongCredentials, AuthUnavailable, or AuthError with the server's sentence."""
        async with self._client() as client:
            answer = await client.sign_in_with_password({"email": email, "password": password.get_secret_value()})
        return _tokens(answer)

    async def refresh(self, tokens: Tokens) -> Tokens:
        """Exchange the refresh token, which is thereby used up. Raises SessionExpired when it is of no use any more."""
        async with self._client() as client:
            answer = await client.refresh_session(tokens.refresh_token.get_secret_value())
        return _tokens(answer)

    async def verify(self, tokens: Tokens) -> None:
        """Ask whether the session still stands. Raises SessionExpired when it does not."""
        async with self._client() as client:
            if await client.get_user(tokens.access_token.get_secret_value()) is None:
                raise SessionExpired("The session has ended. Sign in again.")

    async def sign_out(self, tokens: Tokens) -> None:
        """End this session and no other of the same user."""
        async with self._client() as client:
            await client.admin.sign_out(tokens.access_token.get_secret_value(), "local")

    async def aclose(self) -> None:
        """Close the HTTP client; idempotent."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    @asynccontextmanager
    async def _client(self) -> AsyncIterator[AsyncGoTrueClient]:
        key = self._key.get_secret_value()
        client = AsyncGoTrueClient(
            url=self._url,
            headers={"apikey": key, "Authorization": f"Bearer {key}"},
            auto_refresh_token=False,
            persist_session=False,
            http_client=self._http,
        )
        try:
            yield client
        except (AuthInvalidCredentialsError, AuthApiError) as error:
            if error.code == "invalid_credentials" or isinstance(error, AuthInvalidCredentialsError):
                raise WrongCredentials("E-mail and password do not match.") from error
            if error.status in (401, 403, 404) or error.code in SESSION_OVER:
                raise SessionExpired("The session has ended. Sign in again.") from error
            if error.status >= 500:
                raise _unavailable() from error
            raise AuthError(f"The Auth server says: {error.message}.") from error
        except (supabase_auth.errors.AuthError, httpx.HTTPError) as error:
            raise _unavailable() from error


SESSION_OVER = frozenset(
    {"session_not_found", "session_expired", "refresh_token_not_found", "refresh_token_already_used", "bad_jwt"}
)


def _tokens(answer: supabase_auth.AuthResponse) -> Tokens:
    if answer.session is None:
        raise AuthError("The Auth server opened no session. Confirm the e-mail address first.")
    return Tokens(
        access_token=SecretStr(answer.session.access_token),
        refresh_token=SecretStr(answer.session.refresh_token),
    )


def _unavailable() -> AuthUnavailable:
    return AuthUnavailable("The Auth server does not answer. Try again in a moment.")
