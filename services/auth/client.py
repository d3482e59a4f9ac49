"""Auth server client: signs in, refreshes and signs out through the official library."""

import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Literal, Self

import httpx
import supabase_auth
from pydantic import SecretStr
from supabase_auth import AsyncGoTrueClient, AsyncMemoryStorage, AsyncSupportedStorage, Session, UserIdentity
from supabase_auth.errors import AuthApiError

from services.auth.identity import Identity
from services.auth.official_errors import official_errors, unavailable
from services.errors import (
    AuthError,
    SessionExpired,
    SignOnRefused,
)

REQUEST_TIMEOUT_SECONDS = 10.0
SignOutScope = Literal["global", "local", "others"]
STORAGE_KEY = "session"
ACCEPTED_SECONDS = 300
FORWARDED_FOR = "Sb-Forwarded-For"
"""Header in which a holder of the service key states the client's address, for the Auth server's rate limits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """Access and refresh token of one session."""

    access_token: SecretStr
    refresh_token: SecretStr

    @property
    def identity(self) -> Identity:
        """Identity in the access token's claims; raises SessionExpired for a malformed token."""
        return Identity.from_token(self.access_token.get_secret_value())


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthServer:
    """What an Auth server says about itself.

    Args:
        autoconfirm: Whether addresses count as confirmed without a mail.
        is_closed: Whether it opens no accounts by itself.
    """

    autoconfirm: bool
    is_closed: bool


class Auth:
    """Client of one Supabase project's Auth server. Close with `aclose`.

    Each call creates an official client, because one holds a single session; all of them share one HTTP client.

    Args:
        url: URL of the Supabase project.
        key: Its anon key.
        service_key: Its service key, with which sign-ins state the client's address; None to use the anon key.
    """

    def __init__(self, *, url: str, key: SecretStr, service_key: SecretStr | None = None) -> None:
        self._url = f"{url.rstrip('/')}/auth/v1"
        self._key = key
        self._service_key = service_key
        self._http = httpx.AsyncClient(timeout=REQUEST_TIMEOUT_SECONDS, follow_redirects=True)

    async def sign_in(self, email: str, password: SecretStr, *, client_address: str = "") -> Tokens:
        """Sign in with e-mail and password.

        Args:
            email: The e-mail address.
            password: The password.
            client_address: IP address of who signs in, to limit guessing by; empty for the app itself.

        Raises:
            TooManyAttempts: The Auth server limits requests.
            WrongCredentials: They do not match.
            AuthUnavailable: The Auth server did not respond.
            AuthError: The Auth server rejected the request; contains its message.
        """
        async with self._client(self._service_key, client_address) as client:
            answer = await client.sign_in_with_password({"email": email, "password": password.get_secret_value()})
        return _tokens(answer)

    async def open_account(
        self, email: str, password: SecretStr, *, name: str = "", client_address: str = ""
    ) -> Tokens:
        """Open an account for an invited person, and sign in.

        With the service key the address counts as confirmed; without, the Auth server may have it confirmed first.

        Raises:
            AccountRefused: There is an account with this address, or the Auth server refuses the password.
            AuthUnavailable: The Auth server did not respond.
            AuthError: The Auth server rejected the request, or wants the address confirmed.
        """
        secret, data = password.get_secret_value(), {"display_name": name} if name else {}
        async with self._client(self._service_key, client_address) as client:
            if self._service_key is None:
                return _tokens(await client.sign_up({"email": email, "password": secret, "options": {"data": data}}))
            await client.admin.create_user(
                {"email": email, "password": secret, "email_confirm": True, "user_metadata": data}
            )
        return await self.sign_in(email, password, client_address=client_address)

    async def refresh(self, tokens: Tokens) -> Tokens:
        """Exchange the single-use refresh token for new tokens; raises SessionExpired if it is no longer valid."""
        async with self._client() as client:
            answer = await client.refresh_session(tokens.refresh_token.get_secret_value())
        return _tokens(answer)

    async def verify(self, tokens: Tokens) -> None:
        """Verify with the Auth server that the session is still valid; raises SessionExpired if it is not."""
        async with self._client() as client:
            if await client.get_user(tokens.access_token.get_secret_value()) is None:
                raise SessionExpired("The session has ended. Sign in again.")

    async def sign_out(self, tokens: Tokens, scope: SignOutScope = "local") -> None:
        """Sign out of this session only (`local`), of the user's other sessions (`others`), or of all (`global`)."""
        async with self._client() as client:
            await client.admin.sign_out(tokens.access_token.get_secret_value(), scope)

    async def change_password(self, tokens: Tokens, password: SecretStr) -> None:
        """Set the user's password, which ends the user's other sessions.

        Raises:
            AccountRefused: The Auth server refuses the password; contains its reason.
            SessionExpired: The session has ended.
            AuthUnavailable: The Auth server did not respond.
        """
        async with self._signed_in(tokens) as client:
            await client.update_user({"password": password.get_secret_value()})

    async def change_email(self, tokens: Tokens, email: str, *, redirect_to: str = "") -> bool:
        """Change the user's address.

        Args:
            tokens: The user's session.
            email: The new address.
            redirect_to: URL to which the links lead that the Auth server may send first.

        Returns:
            Whether it has changed; False if the Auth server wants it confirmed by a link first.

        Raises:
            AccountRefused: The address is taken or malformed; contains the Auth server's reason.
            SessionExpired: The session has ended.
            AuthUnavailable: The Auth server did not respond.
        """
        async with self._signed_in(tokens) as client:
            changed = await client.update_user({"email": email}, {"email_redirect_to": redirect_to})
        return (changed.user.email or "").lower() == email.lower()

    async def exchange_code(
        self, code: str, verifier: SecretStr, *, client_address: str = ""
    ) -> tuple[Tokens, list[UserIdentity]]:
        """Exchange a code of single sign-on for a session and the user's identities.

        Raises:
            SignOnRefused: The code has expired, was used, or was issued to another browser.
            AuthUnavailable: The Auth server did not respond.
            AuthError: The Auth server rejected the request.
        """
        async with self._client(self._service_key, client_address) as client:
            try:
                answer = await client.exchange_code_for_session(
                    {"auth_code": code, "code_verifier": verifier.get_secret_value(), "redirect_to": ""}
                )
            except AuthApiError as error:
                if error.code in CODE_OVER:
                    raise SignOnRefused("over", "The sign-in has expired or was used before.") from error
                raise
        return _tokens(answer), list((answer.user and answer.user.identities) or [])

    @property
    def http(self) -> httpx.AsyncClient:
        """HTTP client that all calls share."""
        return self._http

    @property
    def has_service_key(self) -> bool:
        """Whether the app may act as the project's service role."""
        return self._service_key is not None

    def official_client(
        self, *, as_service: bool = False, client_address: str = "", storage: AsyncSupportedStorage | None = None
    ) -> AbstractAsyncContextManager[AsyncGoTrueClient]:
        """Lend an official client, whose errors become those of this app; with `storage` it uses the PKCE flow."""
        return self._client(
            self._service_key if as_service else None, client_address, storage=storage, is_pkce=storage is not None
        )

    async def server(self) -> AuthServer:
        """Return what the Auth server says about itself; raises AuthUnavailable."""
        try:
            answer = await self._http.get(f"{self._url}/settings", headers={"apikey": self._key.get_secret_value()})
            answer.raise_for_status()
            said = answer.json()
            return AuthServer(autoconfirm=bool(said["mailer_autoconfirm"]), is_closed=bool(said["disable_signup"]))
        except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
            raise unavailable() from error

    async def aclose(self) -> None:
        """Close the HTTP client; idempotent."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    @asynccontextmanager
    async def _signed_in(self, tokens: Tokens) -> AsyncIterator[AsyncGoTrueClient]:
        """Provide a client that acts in the session, and never refreshes its tokens, which would end ours."""
        access_token, storage = tokens.access_token.get_secret_value(), AsyncMemoryStorage()
        async with self._client(storage=storage) as client:
            if (known := await client.get_user(access_token)) is None:
                raise SessionExpired("The session has ended. Sign in again.")
            # The client compares the expiry with this machine's clock; the Auth server has just accepted the token.
            session = Session(
                access_token=access_token,
                refresh_token=tokens.refresh_token.get_secret_value(),
                token_type="bearer",
                expires_in=ACCEPTED_SECONDS,
                expires_at=round(time.time()) + ACCEPTED_SECONDS,
                user=known.user,
            )
            await storage.set_item(STORAGE_KEY, session.model_dump_json())
            yield client

    @asynccontextmanager
    async def _client(
        self,
        service_key: SecretStr | None = None,
        client_address: str = "",
        *,
        storage: AsyncSupportedStorage | None = None,
        is_pkce: bool = False,
    ) -> AsyncIterator[AsyncGoTrueClient]:
        key = (service_key or self._key).get_secret_value()
        stated = {FORWARDED_FOR: client_address} if service_key and client_address else {}
        client = AsyncGoTrueClient(
            url=self._url,
            headers={"apikey": key, "Authorization": f"Bearer {key}", **stated},
            auto_refresh_token=False,
            persist_session=storage is not None,
            storage=storage,
            flow_type="pkce" if is_pkce else "implicit",
            storage_key=STORAGE_KEY,
            http_client=self._http,
        )
        with official_errors():
            yield client


CODE_OVER = frozenset({"flow_state_not_found", "flow_state_expired", "bad_code_verifier"})


def _tokens(answer: supabase_auth.AuthResponse) -> Tokens:
    if answer.session is None:
        raise AuthError("The Auth server returned no session. Confirm the e-mail address first.")
    return Tokens(
        access_token=SecretStr(answer.session.access_token),
        refresh_token=SecretStr(answer.session.refresh_token),
    )
