"""Single sign-on: the sign-in by the Auth server's external provider, who may use it, and the roles of its groups."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import httpx
import structlog
from pydantic import SecretStr
from sqlalchemy import text
from supabase_auth import AsyncGoTrueClient, AsyncMemoryStorage, UserIdentity

from services.auth.client import Auth, Tokens
from services.errors import AuthError, SignOnRefused
from services.infra.database import Database

logger = structlog.get_logger(__name__)

CALLBACK = "/session/sso"
"""Path of the app to which the Auth server leads browsers back."""
STORAGE_KEY = "sso"
_APPLY = text("select private.apply_sso_groups(:person, :provider, :organization, cast(:roles as jsonb))")


@dataclass(frozen=True, slots=True, kw_only=True)
class SignOnOptions:
    """Options of single sign-on.

    Args:
        provider: Name of the provider at the Auth server.
        label: Text of the button.
        address: URL at which people reach the app, if it is configured; empty to take it from each request.
        browser_auth_url: Address at which browsers reach the Auth server.
        forward_to: Address of an Auth server that browsers cannot reach, to which the app forwards; empty for none.
        domains: Domains of addresses that may sign in; empty or `*` for any.
        role_of_group: Role by group of the provider; empty to leave roles to people.
        organization: Id or name of the organisation that people with a mapped group join.
    """

    provider: str
    label: str
    browser_auth_url: str
    address: str = ""
    forward_to: str = ""
    domains: frozenset[str] = frozenset()
    role_of_group: Mapping[str, str] = field(default_factory=dict)
    organization: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """A sign-in that was begun: where the browser goes, and the PKCE verifier that it needs to finish."""

    url: str
    verifier: SecretStr


class SingleSignOn:
    """Begins and finishes sign-ins by the provider, through the official client's PKCE flow."""

    def __init__(self, auth: Auth, database: Database, options: SignOnOptions) -> None:
        self.options = options
        self._auth = auth
        self._database = database

    async def begin(self, redirect_to: str) -> Begun:
        """Return where a browser signs in; it comes back to `redirect_to` with a code or an error."""
        storage = AsyncMemoryStorage()
        # Only builds an address, and asks nobody.
        client = AsyncGoTrueClient(
            url=self.options.browser_auth_url,
            flow_type="pkce",
            storage=storage,
            storage_key=STORAGE_KEY,
            auto_refresh_token=False,
            http_client=self._auth.http,
        )
        answer = await client.sign_in_with_oauth({"provider": "keycloak", "options": {"redirect_to": redirect_to}})
        # The client knows only some names, and none of a project's own (`custom:…`).
        url = str(httpx.URL(answer.url).copy_set_param("provider", self.options.provider))
        return Begun(url=url, verifier=SecretStr(storage.storage[f"{STORAGE_KEY}-code-verifier"]))

    async def finish(self, code: str, verifier: SecretStr, *, client_address: str = "") -> Tokens:
        """Exchange a code for a session, and apply the person's groups.

        Raises:
            SignOnRefused: The code is not valid any more, or the person's address is not verified or not allowed.
            AuthUnavailable: The Auth server did not respond.
            AuthError: The Auth server rejected the request.
            DatabaseUnavailable: PostgreSQL could not apply the groups.
        """
        tokens, identities = await self._auth.exchange_code(code, verifier, client_address=client_address)
        try:
            self._check(identities)
            await self._apply_groups(tokens)
        except BaseException:
            await self.discard(tokens)
            raise
        return tokens

    async def discard(self, tokens: Tokens) -> None:
        """End a session that is not to be used."""
        try:
            await self._auth.sign_out(tokens)
        except AuthError as error:
            logger.warning("refused session not ended", cause=str(error))

    def _check(self, identities: Iterable[UserIdentity]) -> None:
        """Raise SignOnRefused unless the provider has verified an address of an allowed domain."""
        told = [each.identity_data for each in identities if each.provider == self.options.provider]
        verified = [str(each.get("email") or "") for each in told if each.get("email_verified") is True]
        if not any(verified):
            raise SignOnRefused("unverified", "The provider has not verified the e-mail address.")
        allowed = self.options.domains
        if allowed and "*" not in allowed and not any(domain_of(each) in allowed for each in verified):
            raise SignOnRefused("domain", "The e-mail address is not of an allowed domain.")

    async def _apply_groups(self, tokens: Tokens) -> None:
        options = self.options
        if not options.role_of_group:
            return
        values = {
            "person": tokens.identity.user_id,
            "provider": options.provider,
            "organization": options.organization,
            "roles": json.dumps(dict(options.role_of_group)),
        }
        async with self._database.as_app() as session:
            outcome = (await (await session.connection()).execute(_APPLY, values)).scalar_one()
        if outcome == "no organization":
            logger.error("no such organisation: LIVEWATCH_OIDC_ORGANIZATION", organization=options.organization)
        elif outcome == "no groups":
            logger.warning("the provider left out the groups: they are too many", user=str(tokens.identity.user_id))
        elif outcome != "unchanged":
            logger.info("groups applied", user=str(tokens.identity.user_id), outcome=outcome)


def domain_of(email: str) -> str:
    """Return the domain of an e-mail address in lower case."""
    return email.rpartition("@")[2].lower()
