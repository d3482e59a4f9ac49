"""Endpoints of links and codes: magic link, recovery, invitation, verification and generation for the service role."""

import ipaddress
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from local_supabase.auth import pkce
from local_supabase.auth.accounts import Accounts, AuthSettings
from local_supabase.auth.fields import check_known, email_field, flag_field, object_field, text_field
from local_supabase.auth.gateway import client_host, guesser, require_service_role
from local_supabase.auth.keys import Verifier
from local_supabase.auth.one_time_tokens import LinkType, OneTimeTokens
from local_supabase.auth.outbox import Outbox
from local_supabase.auth.pkce import PKCE_PREFIX, Challenge
from local_supabase.auth.sessions import Sessions
from local_supabase.auth.users import EMAIL_EXISTS, NewUser, Row, user_json
from local_supabase.errors import ApiError
from local_supabase.web.bodies import read_json_object
from local_supabase.web.rate_limiter import RateLimiter

NO_STORE = {"cache-control": "no-store"}
# What the official clients send with every request; without captchas it has no effect on a hosted project either.
CLIENT_FIELDS = {"gotrue_meta_security", "options"}
SIGNUP_DISABLED = "Signups not allowed for this instance"
CHALLENGE_FIELDS = {"code_challenge", "code_challenge_method"}
HALF_CONFIRMED = "Confirmation link accepted. Please proceed to confirm link sent to the other email"
OAUTH_ERRORS = {400: "invalid_request", 403: "access_denied", 500: "server_error", 503: "temporarily_unavailable"}


class LinkEndpoints:
    """Endpoints that send links and codes to the outbox, and those that verify them."""

    def __init__(
        self, *, accounts: Accounts, sessions: Sessions, verifier: Verifier, settings: AuthSettings, outbox: Outbox,
        attempts: RateLimiter,
    ) -> None:  # fmt: skip
        self.tokens = OneTimeTokens(accounts.users, settings.issuer, both_confirm=not settings.autoconfirm)
        self._accounts = accounts
        self._users = accounts.users
        self._sessions = sessions
        self._verifier = verifier
        self._settings = settings
        self._outbox = outbox
        self._attempts = attempts

    async def recover(self, request: Request) -> Response:
        """Send a link to recover a password; the answer does not tell whether the user exists."""
        body = await _read(request, {"email"} | CHALLENGE_FIELDS)
        if not body.get("email"):
            raise ApiError(400, "validation_failed", "Password recovery requires an email")
        challenge = Challenge.parse(body)
        if user := await self._users.by_email(email_field(body) or ""):
            await self._send(request, body, user, LinkType.RECOVERY, challenge=challenge)
        return JSONResponse({})

    async def otp(self, request: Request) -> Response:
        """Send a magic link with a code; creates the user unless `create_user` is false or sign-up is disabled."""
        body = await _read(request, {"email", "create_user", "data"} | CHALLENGE_FIELDS)
        challenge = Challenge.parse(body)
        if not (email := email_field(body)):
            raise ApiError(400, "validation_failed", "An email address is required")
        user = await self._users.by_email(email)
        if user is None:
            if not flag_field(body, "create_user", default=True):
                raise ApiError(422, "otp_disabled", "Signups not allowed for otp")
            if self._settings.disable_signup:
                raise ApiError(422, "signup_disabled", SIGNUP_DISABLED)
            confirmed = self._settings.autoconfirm
            new = NewUser(email=email, user_metadata=object_field(body, "data"), confirmed=confirmed)
            user = await self._accounts.create(new)
        await self._send(request, body, user, LinkType.MAGIC_LINK, challenge=challenge)
        return JSONResponse({})

    async def resend(self, request: Request) -> Response:
        """Send the link of a sign-up or of a change of address again."""
        body = await _read(request, {"email", "type"} | CHALLENGE_FIELDS)
        challenge = Challenge.parse(body)
        kind = text_field(body, "type")
        if kind not in ("signup", "email_change"):
            raise ApiError(400, "validation_failed", f'Resending "{kind}" is not supported: use signup or email_change')
        if not (email := email_field(body)):
            raise ApiError(400, "validation_failed", "Type provided requires an email address")
        user = await self._users.by_email(email)
        if user and kind == "signup" and user["email_confirmed_at"] is None:
            await self._send(request, body, user, LinkType.SIGNUP, challenge=challenge)
        if user and kind == "email_change" and user["email_change"]:
            await self.send_address_change(request, body, user, user["email_change"])
        return JSONResponse({})

    async def send_sign_up(self, request: Request, body: dict[str, Any], user: Row) -> None:
        """Send the link that confirms the address of a sign-up."""
        await self._send(request, body, user, LinkType.SIGNUP, challenge=Challenge.parse(body))

    async def send_address_change(self, request: Request, body: dict[str, Any], user: Row, new_email: str) -> None:
        """Send the links that confirm a change of address, to the new and to the present one."""
        challenge = Challenge.parse(body)
        await self._send(request, body, user, LinkType.EMAIL_CHANGE_NEW, new_email=new_email, challenge=challenge)
        if user["email"] and not self._settings.autoconfirm:
            current = LinkType.EMAIL_CHANGE_CURRENT
            await self._send(request, body, user, current, new_email=new_email, challenge=challenge)

    async def invite(self, request: Request) -> Response:
        """Invite a new user on behalf of the service role."""
        require_service_role(request, self._verifier)
        body = await _read(request, {"email", "data"})
        if not (email := email_field(body)):
            raise ApiError(400, "validation_failed", "An email address is required")
        user = await self._invited(email, object_field(body, "data"))
        await self._send(request, body, user, LinkType.INVITE)
        return JSONResponse(user_json(await self._accounts.users.by_id(str(user["id"])) or user))

    async def generate(self, request: Request) -> Response:
        """Return a link without sending it, on behalf of the service role."""
        require_service_role(request, self._verifier)
        body = await _read(request, {"type", "email", "new_email", "password", "data", "redirect_to", "redirectTo"})
        text = text_field(body, "type")
        if text not in set(LinkType) - {LinkType.REAUTHENTICATION}:
            raise ApiError(400, "validation_failed", f"Invalid email action link type requested: {text}")
        if not (email := email_field(body)):
            raise ApiError(400, "validation_failed", "An email address is required")
        kind, new_email = LinkType(text), email_field(body, "new_email")
        if kind.verification == "email_change":
            if not new_email:
                raise ApiError(400, "validation_failed", "An email address is required: `new_email`")
            if await self._users.by_email(new_email):
                raise ApiError(422, "email_exists", EMAIL_EXISTS)
        kind, user = await self._subject(kind, email, body)
        redirect_to = self._redirect_to(request, body)
        link = await self.tokens.issue(
            user, kind, redirect_to=redirect_to, new_email=new_email if kind.verification == "email_change" else None
        )
        changed = await self._users.by_id(str(user["id"])) or user
        return JSONResponse(
            {
                **user_json(changed),
                "action_link": link.url,
                "email_otp": link.code,
                "hashed_token": link.hashed_token,
                "verification_type": kind.value,
                "redirect_to": redirect_to,
            }
        )

    async def verify(self, request: Request) -> Response:
        """Exchange a token hash, or an address with its code, for a session."""
        body = await _read(request, {"type", "token", "token_hash", "email", "redirect_to"})
        kind, token, token_hash = (text_field(body, name) for name in ("type", "token", "token_hash"))
        if not kind:
            raise ApiError(400, "validation_failed", "Verify requires a verification type")
        if bool(token) == bool(token_hash):
            raise ApiError(400, "validation_failed", "Verify requires either a token or a token hash")
        if token_hash:
            if body.get("email"):
                raise ApiError(400, "validation_failed", "Only the token_hash and type should be provided")
            user = await self.tokens.redeem_hash(kind, token_hash)
        else:
            user = await self._redeem_code(request, kind, email_field(body), token)
        if user is None:
            return JSONResponse({"code": "200", "msg": HALF_CONFIRMED})
        return JSONResponse(await self._open(request, user), headers=NO_STORE)

    async def follow(self, request: Request) -> Response:
        """Verify a link that a person opened; redirects with a session, or a code of the PKCE flow, or an error."""
        kind, token = request.query_params.get("type", ""), request.query_params.get("token", "")
        if not kind or not token:
            raise ApiError(400, "validation_failed", "Verify requires a verification type and a token")
        target = self._redirect_to(request, {})
        try:
            user = await self.tokens.redeem_hash(kind, token)
            if user is None:
                return _see(f"{target}#{urlencode({'message': HALF_CONFIRMED, 'sb': ''})}")
            if token.startswith(PKCE_PREFIX):
                separator = "&" if urlsplit(target).query else "?"
                code = await pkce.issue_code(self._users, user["id"])
                return _see(f"{target}{separator}code={quote(code)}")
            session = await self._open(request, user)
        except ApiError as error:
            reason = {"error": OAUTH_ERRORS.get(error.status, "invalid_request"), "error_code": error.code}
            return _see(f"{target}#{urlencode({**reason, 'error_description': str(error), 'sb': ''})}")
        names = ("access_token", "token_type", "expires_in", "expires_at", "refresh_token")
        values = {name: session[name] for name in names}
        return _see(f"{target}#{urlencode({**values, 'type': kind, 'sb': ''})}")

    async def exchange_code(self, request: Request) -> dict[str, Any]:
        """Return the session for a code of the PKCE flow."""
        body = await _read(request, {"auth_code", "code_verifier"})
        code, verifier = text_field(body, "auth_code"), text_field(body, "code_verifier")
        if not code or not verifier:
            message = "invalid request: both auth code and code verifier should be non-empty"
            raise ApiError(400, "validation_failed", message)
        user_id, method = await pkce.redeem_code(self._users, code, verifier)
        return await self._sessions.open(user_id, method=method, **origin(request))

    def target(self, request: Request) -> str:
        """Return the allowed address to which a request leads its browser."""
        return self._redirect_to(request, {})

    async def send_nonce(self, request: Request, user: Row) -> None:
        """Send the code of a reauthentication."""
        await self._send(request, {}, user, LinkType.REAUTHENTICATION)

    async def _subject(self, kind: LinkType, email: str, body: dict[str, Any]) -> tuple[LinkType, Row]:
        """Return the user of a link, created if the link is to sign up, and what the link is for."""
        user = await self._users.by_email(email)
        data, password = object_field(body, "data"), text_field(body, "password")
        if kind is LinkType.INVITE:
            return kind, await self._invited(email, data)
        if kind is LinkType.SIGNUP and user and user["email_confirmed_at"]:
            raise ApiError(422, "email_exists", EMAIL_EXISTS)
        if kind is LinkType.SIGNUP and not user and not password:
            raise ApiError(400, "validation_failed", "Signup requires a valid password")
        if user:
            return kind, user
        if kind in (LinkType.SIGNUP, LinkType.MAGIC_LINK):
            new = NewUser(email=email, user_metadata=data, confirmed=False)
            return LinkType.SIGNUP, await self._accounts.create(new, password)
        raise ApiError(404, "user_not_found", "User with this email not found")

    async def _invited(self, email: str, data: Row) -> Row:
        user = await self._users.by_email(email)
        if user and user["email_confirmed_at"]:
            raise ApiError(422, "email_exists", EMAIL_EXISTS)
        new = NewUser(email=email, user_metadata=data, confirmed=False, invited=True)
        return user or await self._accounts.create(new)

    async def _redeem_code(self, request: Request, kind: str, email: str | None, code: str) -> Row | None:
        if not email:
            raise ApiError(
                400, "validation_failed", "Only an email address or phone number should be provided on verify"
            )
        # Counted before the outcome is known, so that concurrent guesses count too.
        host = guesser(request)
        key = ("code", email, host)
        if host is not None and not self._attempts.acquire(key):
            raise ApiError(429, "over_request_rate_limit", "Request rate limit reached")
        user = await self.tokens.redeem_code(kind, email, code)
        self._attempts.reset(key)
        return user

    async def _send(
        self,
        request: Request,
        body: dict[str, Any],
        user: Row,
        kind: LinkType,
        *,
        new_email: str | None = None,
        challenge: Challenge | None = None,
    ) -> None:
        redirect_to = self._redirect_to(request, body)
        link = await self.tokens.issue(user, kind, redirect_to=redirect_to, new_email=new_email, challenge=challenge)
        await self._outbox.deliver(link)

    async def _open(self, request: Request, user: Row) -> dict[str, Any]:
        return await self._sessions.open(user["id"], method="otp", **origin(request))

    def _redirect_to(self, request: Request, body: dict[str, Any]) -> str:
        """Return the requested address if it is the site's or this machine's, else the site's: it receives tokens."""
        wanted = (
            text_field(body, "redirect_to")
            or text_field(body, "redirectTo")
            or request.query_params.get("redirect_to", "")
        )
        site = self._settings.site_url
        try:
            parts = urlsplit(wanted)
            is_here = parts.scheme in ("http", "https") and _is_loopback(parts.hostname)
            is_ours = is_here or parts[:2] == urlsplit(site)[:2]
        except ValueError:
            is_ours = False
        return wanted if is_ours else site


def origin(request: Request) -> dict[str, Any]:
    """Return the client's program and address, as a session records them."""
    return {"user_agent": request.headers.get("user-agent", ""), "ip": client_host(request) or None}


def _is_loopback(host: str | None) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False


def _see(url: str) -> Response:
    return RedirectResponse(url, status_code=303, headers=NO_STORE)


async def _read(request: Request, known: set[str]) -> dict[str, Any]:
    body = await read_json_object(request)
    check_known(body, known | CLIENT_FIELDS)
    return body
