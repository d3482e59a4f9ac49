"""OpenID Connect provider for tests, on a free loopback port: real redirects, keys and tokens, and faults on demand.

It signs in `person` at once, or shows a form first (`has_form`), in which the visitor may also deny.
"""

import asyncio
import base64
import hashlib
import hmac
import html
import json
import secrets
import socket
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from urllib.parse import parse_qs, unquote, urlencode

import jwt
import uvicorn
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import get_default_algorithms
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

CLIENT_ID = "livewatch-tests"
CLIENT_SECRET = "s3cret: of/the tests"
LIFETIME = 300


class Fault(StrEnum):
    """What is wrong with the next tokens."""

    NONCE = "nonce"
    EXPIRED = "expired"
    FUTURE = "future"
    AUDIENCE = "audience"
    PARTY = "party"
    ISSUER = "issuer"
    NONE = "alg none"
    HS256 = "HS256 with the public key"
    SIGNATURE = "signature"
    UNKNOWN_KEY = "unknown key"
    NO_TOKEN = "no ID token"
    NO_SUBJECT = "no subject"
    USERINFO = "user information of another user"
    GARBAGE = "garbage"
    TOKEN_ERROR = "token endpoint refuses"


def person(email: str, **claims: Any) -> dict[str, Any]:
    """Return the claims of a user with a verified address."""
    return {"sub": f"sub-{email}", "email": email, "email_verified": True, "name": email.partition("@")[0], **claims}


@dataclass
class Grant:
    """What a code stands for."""

    query: dict[str, str]
    claims: dict[str, Any]


@dataclass
class OidcProvider:
    """A provider; `url` is its issuer. Tests set the fields between sign-ins."""

    port: int
    person: dict[str, Any] = field(default_factory=lambda: person("ada@example.com"))
    has_form: bool = False
    fault: Fault | None = None
    error: str = ""
    """Error that the authorization endpoint answers with, such as `access_denied`."""
    algorithm: str = "RS256"
    only_at_userinfo: tuple[str, ...] = ()
    """Claims that only the userinfo endpoint tells."""
    issuer: str = ""
    requests: list[dict[str, str]] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.issuer = self.issuer or self.url
        self._grants: dict[str, Grant] = {}
        self._tokens: dict[str, dict[str, Any]] = {}
        self._server: uvicorn.Server | None = None
        self._serving: asyncio.Task[None] | None = None
        self.rotate_keys()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def rotate_keys(self) -> None:
        """Replace the keys; tokens that are issued from now on have a new `kid`."""
        self.kid = secrets.token_hex(4)
        self._keys: dict[str, Any] = {
            "RS256": rsa.generate_private_key(public_exponent=65537, key_size=2048),
            "ES256": ec.generate_private_key(ec.SECP256R1()),
            "EdDSA": ed25519.Ed25519PrivateKey.generate(),
        }

    async def start(self) -> None:
        """Listen; a stopped provider listens on its port again."""
        config = uvicorn.Config(self._app(), host="127.0.0.1", port=self.port, log_config=None, lifespan="off")
        self._server = uvicorn.Server(config)
        self._serving = asyncio.create_task(self._server._serve(), name="oidc provider")
        while not self._server.started:
            assert not self._serving.done(), "the provider did not start"
            await asyncio.sleep(0.01)

    async def stop(self) -> None:
        """Be down."""
        if self._server and self._serving:
            self._server.should_exit = True
            await self._serving
            self._server = self._serving = None

    def _app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self._discovery),
                Route("/authorize", self._authorize),
                Route("/consent", self._consent, methods=["POST"]),
                Route("/token", self._token, methods=["POST"]),
                Route("/keys", self._jwks),
                Route("/userinfo", self._userinfo),
            ]
        )

    async def _discovery(self, _request: Request) -> Response:
        self.counts["discovery"] += 1
        return JSONResponse(
            {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.url}/authorize",
                "token_endpoint": f"{self.url}/token",
                "jwks_uri": f"{self.url}/keys",
                "userinfo_endpoint": f"{self.url}/userinfo",
                "response_types_supported": ["code"],
                "id_token_signing_alg_values_supported": list(self._keys),
            }
        )

    async def _authorize(self, request: Request) -> Response:
        query = dict(request.query_params)
        self.requests.append(query)
        self.counts["authorize"] += 1
        if query.get("client_id") != CLIENT_ID or query.get("response_type") != "code":
            return HTMLResponse("unknown client", 400)
        if self.error:
            return self._back(query, error=self.error, error_description="The person <b>said</b> no")
        if not self.has_form:
            return self._back(query, code=self._grant(query, self.person))
        hidden = "".join(
            f'<input type="hidden" name="{html.escape(name)}" value="{html.escape(value)}">'
            for name, value in query.items()
        )
        return HTMLResponse(
            f'<title>Provider</title><form method="post" action="/consent">{hidden}'
            '<button name="choice" value="allow">Allow</button><button name="choice" value="deny">Deny</button></form>'
        )

    async def _consent(self, request: Request) -> Response:
        query = _form(await request.body())
        if query.pop("choice", "") != "allow":
            return self._back(query, error="access_denied", error_description="The person said no")
        return self._back(query, code=self._grant(query, self.person))

    async def _token(self, request: Request) -> Response:
        self.counts["token"] += 1
        form = _form(await request.body())
        grant = self._grants.pop(form.get("code", ""), None)
        if not self._is_client(request, form):
            return JSONResponse({"error": "invalid_client"}, 401)
        challenge = _digest(form.get("code_verifier", ""))
        is_bound = (
            grant is not None
            and grant.query.get("code_challenge") == challenge
            and grant.query.get("code_challenge_method") == "S256"
            and grant.query.get("redirect_uri") == form.get("redirect_uri")
        )
        if grant is None or not is_bound or self.fault is Fault.TOKEN_ERROR:
            return JSONResponse({"error": "invalid_grant"}, 400)
        if self.fault is Fault.GARBAGE:
            return HTMLResponse("<h1>It works</h1>")
        access_token = secrets.token_urlsafe()
        self._tokens[access_token] = grant.claims
        answer: dict[str, Any] = {"access_token": access_token, "token_type": "Bearer", "expires_in": LIFETIME}
        if self.fault is not Fault.NO_TOKEN:
            answer["id_token"] = self._id_token(grant)
        return JSONResponse(answer)

    async def _jwks(self, _request: Request) -> Response:
        self.counts["keys"] += 1
        keys = []
        for name, key in self._keys.items():
            public = get_default_algorithms()[name].to_jwk(key.public_key(), as_dict=True)
            keys.append({**public, "kid": f"{name}-{self.kid}", "alg": name, "use": "sig"})
        return JSONResponse({"keys": keys})

    async def _userinfo(self, request: Request) -> Response:
        self.counts["userinfo"] += 1
        claims = self._tokens.get(request.headers.get("authorization", "").removeprefix("Bearer "))
        if claims is None:
            return JSONResponse({"error": "invalid_token"}, 401)
        return JSONResponse({**claims, "sub": "somebody else"} if self.fault is Fault.USERINFO else claims)

    def _id_token(self, grant: Grant) -> str:
        now = int(time.time())
        shift = {Fault.EXPIRED: -2 * LIFETIME, Fault.FUTURE: 2 * LIFETIME}.get(self.fault or Fault.NONCE, 0)
        claims = {
            **{name: value for name, value in grant.claims.items() if name not in self.only_at_userinfo},
            "iss": "https://evil.example" if self.fault is Fault.ISSUER else self.issuer,
            "aud": "another client" if self.fault is Fault.AUDIENCE else CLIENT_ID,
            "iat": now + shift,
            "exp": now + shift + LIFETIME,
            "nonce": "another nonce" if self.fault is Fault.NONCE else grant.query.get("nonce", ""),
        }
        if self.fault is Fault.PARTY:
            claims |= {"aud": [CLIENT_ID, "another"], "azp": "another"}
        if self.fault is Fault.NO_SUBJECT:
            del claims["sub"]
        return self._signed(claims)

    def _signed(self, claims: dict[str, Any]) -> str:
        name, key = self.algorithm, self._keys[self.algorithm]
        kid = f"{name}-{self.kid}"
        if self.fault is Fault.NONE:
            return jwt.encode(claims, "", algorithm="none", headers={"kid": kid})
        if self.fault is Fault.HS256:
            public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
            signed = f"{_part({'alg': 'HS256', 'typ': 'JWT', 'kid': kid})}.{_part(claims)}"
            return f"{signed}.{_base64(hmac.digest(public, signed.encode(), 'sha256'))}"
        if self.fault is Fault.SIGNATURE:
            key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
            name = "RS256"
        if self.fault is Fault.UNKNOWN_KEY:
            kid = secrets.token_hex(4)
        return jwt.encode(claims, key, algorithm=name, headers={"kid": kid})

    def _grant(self, query: dict[str, str], claims: dict[str, Any]) -> str:
        code = secrets.token_urlsafe()
        self._grants[code] = Grant(query=query, claims=dict(claims))
        return code

    def _back(self, query: dict[str, str], **answer: str) -> Response:
        return RedirectResponse(
            f"{query['redirect_uri']}?{urlencode({**answer, 'state': query.get('state', '')})}", status_code=302
        )

    def _is_client(self, request: Request, form: dict[str, str]) -> bool:
        scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
        if scheme == "Basic":
            id, _, secret = base64.b64decode(credentials).decode().partition(":")
            return (unquote(id), unquote(secret)) == (CLIENT_ID, CLIENT_SECRET)
        return (form.get("client_id"), form.get("client_secret")) == (CLIENT_ID, CLIENT_SECRET)


@asynccontextmanager
async def oidc_provider(**fields: Any) -> AsyncIterator[OidcProvider]:
    """Run a provider on a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    provider = OidcProvider(port=port, **fields)
    await provider.start()
    try:
        yield provider
    finally:
        await provider.stop()


def _form(body: bytes) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(body.decode(), keep_blank_values=True).items()}


def _part(value: dict[str, Any]) -> str:
    return _base64(json.dumps(value).encode())


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _digest(verifier: str) -> str:
    return _base64(hashlib.sha256(verifier.encode()).digest())
