"""Client of one OpenID Connect provider: discovery, authorization requests, and the claims of who signed in."""

import asyncio
import base64
import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import httpx

from local_supabase.auth.external.addresses import is_safe
from local_supabase.auth.external.id_token import validate
from local_supabase.auth.external.keys import ProviderKeys
from local_supabase.errors import ProviderError

REQUEST_TIMEOUT_SECONDS = 10.0
DISCOVERY_LIFETIME_SECONDS = 3600.0
MAX_ANSWER_BYTES = 1024 * 1024
DEFAULT_SCOPES = ("openid", "email", "profile")
ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")
PROFILE_CLAIMS = ("email", "email_verified", "groups")
"""Claims that are asked for at the userinfo endpoint if the ID token lacks one of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderSettings:
    """An external provider.

    Attributes:
        name: name in requests and identities, such as `keycloak`.
        issuer: URL of the provider, as in its discovery document.
        client_id: id of the client that is registered there.
        client_secret: secret of that client; empty for a public client.
        scopes: requested besides `openid`, `email` and `profile`.
        sign_up_domains: domains of verified addresses whose users may sign up where sign-ups are disabled; `*` for any.
    """

    name: str
    issuer: str
    client_id: str
    client_secret: str = field(default="", repr=False)
    scopes: tuple[str, ...] = ()
    sign_up_domains: tuple[str, ...] = ()


class OidcProvider:
    """OpenID Connect provider, whose discovery document and keys are cached. Close with `aclose`.

    Args:
        settings: the provider.
        redirect_uri: where the provider sends browsers back to; registered there.
        clock: seconds that never jump.
    """

    def __init__(
        self, settings: ProviderSettings, redirect_uri: str, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.settings = settings
        self._redirect_uri = redirect_uri
        self._clock = clock
        self._http = httpx.AsyncClient(timeout=REQUEST_TIMEOUT_SECONDS, headers={"accept": "application/json"})
        self._keys = ProviderKeys(self._fetch_keys, clock=clock)
        self._discovered: dict[str, Any] = {}
        self._discovered_at = 0.0
        self._lock = asyncio.Lock()

    async def aclose(self) -> None:
        """Close its connections."""
        await self._http.aclose()

    async def authorization_url(
        self, *, state: str, verifier: str, scopes: tuple[str, ...] = (), parameters: Mapping[str, str] | None = None
    ) -> str:
        """Return where a browser asks the user to sign in.

        Args:
            state: returned by the provider unchanged.
            verifier: PKCE verifier of this request, from which the nonce is derived, too.
            scopes: requested besides the configured ones.
            parameters: additional parameters; those of the protocol take precedence.

        Raises:
            ProviderError: the provider does not respond, or its discovery document is not valid.
        """
        document = await self._discovery()
        query = {
            **(parameters or {}),
            "client_id": self.settings.client_id,
            "redirect_uri": self._redirect_uri,
            "response_type": "code",
            "scope": " ".join(dict.fromkeys((*DEFAULT_SCOPES, *self.settings.scopes, *scopes))),
            "state": state,
            "nonce": nonce_of(verifier),
            "code_challenge": _digest(verifier),
            "code_challenge_method": "S256",
        }
        endpoint = str(document["authorization_endpoint"])
        return f"{endpoint}{'&' if urlsplit(endpoint).query else '?'}{urlencode(query)}"

    async def identify(self, code: str, verifier: str) -> dict[str, Any]:
        """Exchange a code for the claims of the user who signed in.

        Args:
            code: from the provider's redirect.
            verifier: PKCE verifier of the request.

        Raises:
            ProviderError: the provider does not respond, refuses the code, or returns an ID token that is not valid.
        """
        document = await self._discovery()
        tokens = await self._exchange(document, code, verifier)
        token = tokens.get("id_token")
        if not isinstance(token, str):
            raise ProviderError("the provider returned no ID token")
        issuer, client_id = str(document["issuer"]), self.settings.client_id
        claims = await validate(token, self._keys, issuer=issuer, client_id=client_id, nonce=nonce_of(verifier))
        endpoint = document.get("userinfo_endpoint")
        if endpoint is None or all(name in claims for name in PROFILE_CLAIMS):
            return claims
        return {**await self._userinfo(str(endpoint), tokens, str(claims["sub"])), **claims}

    async def _exchange(self, document: Mapping[str, Any], code: str, verifier: str) -> dict[str, Any]:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._redirect_uri,
            "code_verifier": verifier,
        }
        id, secret = self.settings.client_id, self.settings.client_secret
        headers = {}
        methods = document.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        if secret and "client_secret_basic" in methods:
            # RFC 6749, section 2.3.1: encoded as in a form before they are joined.
            credentials = f"{quote(id, safe='')}:{quote(secret, safe='')}".encode()
            headers["authorization"] = f"Basic {base64.b64encode(credentials).decode()}"
        else:
            form |= {"client_id": id} | ({"client_secret": secret} if secret else {})
        return await self._request("POST", str(document["token_endpoint"]), data=form, headers=headers)

    async def _userinfo(self, endpoint: str, tokens: Mapping[str, Any], subject: str) -> dict[str, Any]:
        headers = {"authorization": f"Bearer {tokens.get('access_token') or ''}"}
        answer = await self._request("GET", endpoint, headers=headers)
        # OpenID Connect Core, section 5.3.2: else it may be about another user.
        if answer.get("sub") != subject:
            raise ProviderError("the provider's user information is about another user than the ID token")
        return answer

    async def _discovery(self) -> Mapping[str, Any]:
        async with self._lock:
            if not self._discovered or self._clock() - self._discovered_at > DISCOVERY_LIFETIME_SECONDS:
                url = f"{self.settings.issuer.rstrip('/')}/.well-known/openid-configuration"
                document = await self._request("GET", url)
                self._check(document)
                self._discovered, self._discovered_at = document, self._clock()
            return self._discovered

    def _check(self, document: Mapping[str, Any]) -> None:
        issuer = document.get("issuer")
        if not isinstance(issuer, str) or issuer.rstrip("/") != self.settings.issuer.rstrip("/"):
            raise ProviderError("the provider's discovery document names another issuer")
        for name in (*ENDPOINTS, *(["userinfo_endpoint"] if "userinfo_endpoint" in document else [])):
            if not is_safe(str(document.get(name) or "")):
                raise ProviderError(f"the provider's discovery document has no {name} with https")

    async def _fetch_keys(self) -> dict[str, Any]:
        return await self._request("GET", str((await self._discovery())["jwks_uri"]))

    async def _request(self, method: str, url: str, **options: Any) -> dict[str, Any]:
        where = urlsplit(url).hostname
        try:
            async with self._http.stream(method, url, **options) as response:
                body = b""
                async for piece in response.aiter_bytes():
                    body += piece
                    if len(body) > MAX_ANSWER_BYTES:
                        raise ProviderError(f"{where} sent too long an answer")
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise ProviderError(f"{where} does not respond ({type(error).__name__})") from error
        try:
            answer = json.loads(body)
        except ValueError as error:
            raise ProviderError(f"{where} answered {response.status_code} without JSON") from error
        if not isinstance(answer, dict):
            raise ProviderError(f"{where} answered {response.status_code} without a JSON object")
        if not response.is_success:
            raise ProviderError(f"{where} answered {response.status_code}: {str(answer.get('error', ''))[:100]}")
        return answer


def nonce_of(verifier: str) -> str:
    """Return the nonce of a request, which only who knows its verifier can tell."""
    return _digest(f"nonce {verifier}")


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")
