"""Links in mails: asking the Auth server to send one, and redeeming it.

A request for a link is answered before the Auth server has: neither answer nor time tells whether there is an account.
The PKCE flow (RFC 7636) binds the links of a project's own mail templates to the browser that asked.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from secrets import token_urlsafe
from typing import Any, Literal, Self, get_args
from urllib.parse import urlencode

import structlog
from pydantic import SecretStr
from supabase_auth import AsyncGoTrueClient, AsyncMemoryStorage

from services.auth.client import Auth, Tokens
from services.errors import AccountRefused, LinkRefused, LivewatchError, TooManyAttempts
from services.infra.logging import create_shared_task

logger = structlog.get_logger(__name__)

LinkType = Literal["signup", "magiclink", "recovery", "invite", "email_change", "email"]
LINK_TYPES = frozenset(get_args(LinkType))
CONFIRM_PATH = "/session/confirm"
MAX_REQUESTS = 100
"""Requests for links under way; further ones are refused."""

Ask = Callable[[AsyncGoTrueClient], Awaitable[object]]


class _VerifierStorage(AsyncMemoryStorage):
    """Storage of an official client; tells the verifier of the PKCE flow once it is made."""

    def __init__(self) -> None:
        super().__init__()
        self.verifier: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def set_item(self, key: str, value: str) -> None:
        await super().set_item(key, value)
        if key.endswith("-code-verifier") and not self.verifier.done():
            self.verifier.set_result(value.partition("/")[0])


class MailLinks:
    """Asks for links and redeems them; an asynchronous context manager, which gives up requests at its end."""

    def __init__(self, auth: Auth) -> None:
        self._auth = auth
        self._requests: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        requests = list(self._requests)
        for each in requests:
            each.cancel()
        await asyncio.gather(*requests, return_exceptions=True)

    async def recover(self, email: str, *, redirect_to: str, client_address: str) -> str:
        """Ask for a link that leads to a new password.

        Args:
            email: Address of the account, if there is one.
            redirect_to: URL to which a link of a project's own template leads.
            client_address: IP address of who asks.

        Returns:
            The verifier that such a link needs.

        Raises:
            TooManyAttempts: Too many requests are under way.
        """

        async def ask(client: AsyncGoTrueClient) -> None:
            await client.reset_password_for_email(email, {"redirect_to": redirect_to})

        return await self._start(ask, client_address)

    async def magic_link(self, email: str, *, redirect_to: str, client_address: str) -> str:
        """Ask for a link that signs in; like `recover`."""

        async def ask(client: AsyncGoTrueClient) -> None:
            await client.sign_in_with_otp(
                {"email": email, "options": {"email_redirect_to": redirect_to, "should_create_user": False}}
            )

        return await self._start(ask, client_address)

    async def sign_up(
        self, email: str, *, name: str, redirect_to: str, client_address: str, on_taken: Callable[[], None]
    ) -> str:
        """Open an account whose password is chosen after its address was confirmed; like `recover`.

        Nobody knows the first password, so that who signs up with another's address has no use of it.

        Args:
            email: The address.
            name: The person's name.
            redirect_to: URL to which a link of a project's own template leads.
            client_address: IP address of who asks.
            on_taken: Called later if there is an account with this address.
        """

        async def ask(client: AsyncGoTrueClient) -> None:
            options: Any = {"data": {"display_name": name}, "email_redirect_to": redirect_to}
            answer = await client.sign_up({"email": email, "password": token_urlsafe(32), "options": options})
            # What the Auth server answers for an address that is taken.
            if answer.user and not answer.user.identities:
                on_taken()

        return await self._start(ask, client_address)

    def sign_up_invited(
        self,
        email: str,
        *,
        name: str,
        address: str,
        target: str,
        on_link: Callable[[str], None],
        on_taken: Callable[[], None],
    ) -> None:
        """Open an account for somebody with an invitation, as the service role, since sign-up is closed to others.

        Args:
            email: The address.
            name: The person's name.
            address: URL of the app.
            target: Path to open once the address is confirmed.
            on_link: Called later with the link that confirms the address, to mail it.
            on_taken: Called later if there is an account with this address.

        Raises:
            TooManyAttempts: Too many requests are under way.
        """

        async def open_account() -> None:
            data: Any = {"data": {"display_name": name}}
            try:
                async with self._auth.official_client(as_service=True) as client:
                    answer = await client.admin.generate_link(
                        {"type": "signup", "email": email, "password": token_urlsafe(32), "options": data}
                    )
            except AccountRefused:
                on_taken()
                return
            token_hash = answer.properties.hashed_token
            on_link(confirm_url(address, token_hash=token_hash, type="signup", next=target))

        self._spawn(open_account())

    async def redeem(self, type: LinkType, token_hash: str) -> Tokens | None:
        """Open the session of a link.

        Returns:
            Its tokens; None after the first of two confirmations of a new address.

        Raises:
            LinkRefused: The link has expired, was used before, or is not one.
            AuthUnavailable: The Auth server did not respond.
        """
        async with self._auth.official_client() as client:
            return _tokens(await client.verify_otp({"type": type, "token_hash": token_hash}))

    async def exchange(self, code: str, verifier: str) -> Tokens:
        """Open the session of a code of the PKCE flow; like `redeem`."""
        async with self._auth.official_client() as client:
            answer = await client.exchange_code_for_session(
                {"auth_code": code, "code_verifier": verifier, "redirect_to": ""}
            )
        tokens = _tokens(answer)
        if tokens is None:
            raise LinkRefused("The link opened no session.")
        return tokens

    async def recovery_link(self, email: str, *, address: str) -> SecretStr:
        """Make a link to a new password, as the service role, for somebody to pass on.

        Args:
            email: Address of the account.
            address: URL of the app.

        Raises:
            AuthError: There is no such account, or the Auth server refused.
        """
        async with self._auth.official_client(as_service=True) as client:
            answer = await client.admin.generate_link(
                {"type": "recovery", "email": email, "options": {"redirect_to": confirm_url(address, type="recovery")}}
            )
        return SecretStr(confirm_url(address, token_hash=answer.properties.hashed_token, type="recovery"))

    async def set_password(self, tokens: Tokens, password: SecretStr) -> None:
        """Set the password of a session's user, and end the user's other sessions.

        Raises:
            PasswordRefused: The Auth server refuses the password; the message is its own.
            SessionExpired: The session has ended.
            AuthUnavailable: The Auth server did not respond.
        """
        await self._auth.change_password(tokens, password)
        await self._auth.sign_out(tokens, "others")

    async def _start(self, ask: Ask, client_address: str) -> str:
        storage = _VerifierStorage()

        async def run() -> None:
            async with self._auth.official_client(
                as_service=self._auth.has_service_key, client_address=client_address, storage=storage
            ) as client:
                await ask(client)

        task = self._spawn(run())
        ends: set[asyncio.Future[Any]] = {task, storage.verifier}
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        return storage.verifier.result() if storage.verifier.done() else ""

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        if len(self._requests) >= MAX_REQUESTS:
            work.close()
            raise TooManyAttempts("Too many links are being asked for. Try again in a few minutes.")
        task = create_shared_task(_logged(work), name="request for a link")
        self._requests.add(task)
        task.add_done_callback(self._requests.discard)
        return task


def confirm_url(address: str, **query: str) -> str:
    """Return the URL of the page that redeems a link."""
    return f"{address.rstrip('/')}{CONFIRM_PATH}?{urlencode(query)}"


async def _logged(work: Awaitable[None]) -> None:
    try:
        await work
    except LivewatchError as error:
        # Unknown addresses included: who asked is told the same.
        logger.info("no link sent", cause=str(error))
    except Exception:
        logger.exception("a request for a link failed")


def _tokens(answer: Any) -> Tokens | None:
    if answer.session is None:
        return None
    return Tokens(
        access_token=SecretStr(answer.session.access_token), refresh_token=SecretStr(answer.session.refresh_token)
    )
