"""The Auth server at `/auth/v1`: sign-up, sessions, the user and the public keys, in GoTrue's formats."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local_supabase.auth.accounts import Accounts, AuthSettings, obscured_json
from local_supabase.auth.admin import AdminEndpoints
from local_supabase.auth.external.endpoints import ExternalEndpoints
from local_supabase.auth.external.provider import OidcProvider
from local_supabase.auth.fields import check_known, email_field, normalize_email, object_field, text_field
from local_supabase.auth.gateway import bearer_claims, guesser, with_api_key
from local_supabase.auth.keys import Claims, SigningKey, Verifier
from local_supabase.auth.link_endpoints import (
    CHALLENGE_FIELDS,
    CLIENT_FIELDS,
    NO_STORE,
    SIGNUP_DISABLED,
    LinkEndpoints,
    origin,
)
from local_supabase.auth.outbox import Outbox
from local_supabase.auth.sessions import Sessions
from local_supabase.auth.users import (
    EMAIL_EXISTS,
    NewUser,
    Row,
    UserChanges,
    Users,
    check_not_banned,
    user_json,
)
from local_supabase.errors import ApiError
from local_supabase.web.bodies import read_json_object
from local_supabase.web.rate_limiter import RateLimiter


class Auth:
    """The Auth endpoints; borrows its database connections from `users`."""

    def __init__(
        self,
        users: Users,
        key: SigningKey,
        verifier: Verifier,
        settings: AuthSettings,
        outbox: Outbox,
        *,
        provider: OidcProvider | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.accounts = Accounts(users, settings)
        self._users = users
        self._sessions = Sessions(users, key, settings, clock=clock)
        self._attempts = RateLimiter(settings.password_attempts, settings.password_attempts_window, clock)
        self._admin = AdminEndpoints(self.accounts, verifier)
        self._links = LinkEndpoints(
            accounts=self.accounts,
            sessions=self._sessions,
            verifier=verifier,
            settings=settings,
            outbox=outbox,
            attempts=self._attempts,
        )
        self._external = ExternalEndpoints(users, self._sessions, settings, provider, self._links.target)
        self._key = key
        self._verifier = verifier
        self._settings = settings

    def routes(self) -> list[Route]:
        """Return the routes below `/auth/v1`; those that browsers visit require no API key."""
        guarded = [
            ("/signup", self._sign_up, ["POST"]),
            ("/token", self._token, ["POST"]),
            ("/user", self._user, ["GET"]),
            ("/user", self._update_user, ["PUT"]),
            ("/logout", self._log_out, ["POST"]),
            ("/reauthenticate", self._reauthenticate, ["GET"]),
            ("/recover", self._links.recover, ["POST"]),
            ("/otp", self._links.otp, ["POST"]),
            ("/magiclink", self._links.otp, ["POST"]),
            ("/resend", self._links.resend, ["POST"]),
            ("/invite", self._links.invite, ["POST"]),
            ("/health", self._health, ["GET"]),
            ("/settings", self._show_settings, ["GET"]),
            ("/admin/generate_link", self._links.generate, ["POST"]),
            ("/admin/users", self._admin.create, ["POST"]),
            ("/admin/users", self._admin.list, ["GET"]),
            ("/admin/users/{id}", self._admin.get, ["GET"]),
            ("/admin/users/{id}", self._admin.update, ["PUT"]),
            ("/admin/users/{id}", self._admin.delete, ["DELETE"]),
        ]
        routes = [Route(path, with_api_key(view, self._verifier), methods=methods) for path, view, methods in guarded]
        return [
            Route("/.well-known/jwks.json", self._jwks, methods=["GET"]),
            Route("/authorize", self._external.authorize, methods=["GET"]),
            Route("/callback", self._external.callback, methods=["GET"]),
            Route("/verify", self._links.follow, methods=["GET"]),
            Route("/verify", self._links.verify, methods=["POST"]),
            *routes,
        ]

    async def _sign_up(self, request: Request) -> Response:
        body = await read_json_object(request)
        if self._settings.disable_signup:
            raise ApiError(422, "signup_disabled", SIGNUP_DISABLED)
        # A challenge has no effect where a sign-up is confirmed at once, as on a hosted project.
        check_known(body, {"email", "password", "data"} | CHALLENGE_FIELDS | CLIENT_FIELDS)
        if not body.get("email"):
            if body.get("password"):
                raise ApiError(400, "validation_failed", "To signup, please provide your email")
            raise ApiError(422, "anonymous_provider_disabled", "Anonymous sign-ins are disabled")
        if not (password := text_field(body, "password")):
            raise ApiError(400, "validation_failed", "Signup requires a valid password")
        new = NewUser(email=normalize_email(text_field(body, "email")), user_metadata=object_field(body, "data"))
        if self._settings.autoconfirm:
            return await self._open_session(request, await self.accounts.create(new, password))
        return JSONResponse(await self._unconfirmed(request, body, new, password))

    async def _unconfirmed(self, request: Request, body: dict[str, Any], new: NewUser, password: str) -> Row:
        """Create a user whose address must be confirmed; the answer does not tell whether somebody has it."""
        # Hashed in any case, so that the time does not tell it either.
        hashed = await self.accounts.hash_password(password)
        user = await self._users.by_email(new.email)
        if user is None:
            user = await self.accounts.create(replace(new, password_hash=hashed, confirmed=False))
        elif user["email_confirmed_at"]:
            return obscured_json(user, new)
        await self._links.send_sign_up(request, body, user)
        return user_json(await self._users.by_id(str(user["id"])) or user)

    async def _token(self, request: Request) -> Response:
        match request.query_params.get("grant_type"):
            case "password":
                return await self._sign_in(request)
            case "refresh_token":
                return await self._refresh(request)
            case "pkce":
                return JSONResponse(await self._links.exchange_code(request), headers=NO_STORE)
            case "id_token":
                raise ApiError(400, "provider_disabled", "Provider is not enabled (the local Supabase has none)")
            case "web3":
                message = "Web3 provider is disabled (the local Supabase does not support it)"
                raise ApiError(422, "web3_provider_disabled", message)
        raise ApiError(
            400, "invalid_credentials", "unsupported_grant_type", error="unsupported_grant_type", error_description=""
        )

    async def _refresh(self, request: Request) -> Response:
        token = text_field(await read_json_object(request), "refresh_token")
        if not token:
            raise ApiError(400, "validation_failed", "Refresh token is not valid")
        return JSONResponse(await self._sessions.refresh(token), headers=NO_STORE)

    async def _sign_in(self, request: Request) -> Response:
        body = await read_json_object(request)
        # The clients send the options of a sign-up, too; they have no effect on a hosted project either.
        check_known(body, {"email", "password", "data"} | CLIENT_FIELDS)
        email, password = text_field(body, "email").strip().lower(), text_field(body, "password")
        if not email:
            raise ApiError(400, "validation_failed", "missing email or phone")
        # Counted before the outcome is known, so that concurrent guesses count too.
        host = guesser(request)
        attempt = (email, host)
        if host is not None and not self._attempts.acquire(attempt):
            raise ApiError(429, "over_request_rate_limit", "Request rate limit reached")
        user = await self._users.by_email(email)
        hashed = user["encrypted_password"] if user else None
        if not await self.accounts.passwords.verify(password, hashed) or user is None:
            raise ApiError(400, "invalid_credentials", "Invalid login credentials")
        self._attempts.reset(attempt)
        check_not_banned(user)
        if user["email_confirmed_at"] is None:
            raise ApiError(400, "email_not_confirmed", "Email not confirmed")
        return await self._open_session(request, user)

    async def _user(self, request: Request) -> Response:
        _claims, user = await self._signed_in(request)
        return JSONResponse(user_json(user))

    async def _update_user(self, request: Request) -> Response:
        claims, user = await self._signed_in(request)
        body = await read_json_object(request)
        if body.get("app_metadata"):
            raise ApiError(403, "not_admin", "Updating app_metadata requires admin privileges")
        check_known(body, {"email", "password", "current_password", "data", "nonce"} | CHALLENGE_FIELDS)
        password_hash = await self._changed_password(body, user)
        if nonce := text_field(body, "nonce"):
            await self._links.tokens.redeem_nonce(user, nonce)
        email = email_field(body)
        if email == user["email"]:
            email = None
        if email and await self._users.by_email(email):
            raise ApiError(422, "email_exists", EMAIL_EXISTS)
        # A changed address counts as confirmed at once where that of a sign-up does.
        at_once = email if self._settings.autoconfirm else None
        changes = UserChanges(
            email=at_once,
            password_hash=password_hash,
            user_metadata=object_field(body, "data"),
            confirm=at_once is not None,
        )
        updated = await self._users.update(user["id"], changes)
        if email and not at_once:
            await self._links.send_address_change(request, body, updated, email)
            updated = await self._users.by_id(str(user["id"])) or updated
        if password_hash:
            await self._sessions.close(user["id"], str(claims["session_id"]), "others")
        return JSONResponse(user_json(updated))

    async def _changed_password(self, body: dict[str, Any], user: Row) -> str | None:
        password, current = text_field(body, "password"), text_field(body, "current_password")
        if not password:
            return None
        self.accounts.check_password(password)
        verify, hashed = self.accounts.passwords.verify, user["encrypted_password"]
        if current and not await verify(current, hashed):
            raise ApiError(400, "current_password_mismatch", "Current password required when setting new password.")
        if await verify(password, hashed):
            raise ApiError(422, "same_password", "New password should be different from the old password.")
        return await self.accounts.hash_password(password)

    async def _log_out(self, request: Request) -> Response:
        scope = request.query_params.get("scope", "global")
        if scope not in ("local", "global", "others"):
            raise ApiError(400, "validation_failed", f'Unsupported logout scope "{scope}"')
        claims, user = await self._signed_in(request)
        await self._sessions.close(user["id"], str(claims["session_id"]), scope)
        return Response(status_code=204)

    async def _reauthenticate(self, request: Request) -> Response:
        _claims, user = await self._signed_in(request)
        await self._links.send_nonce(request, user)
        return JSONResponse({})

    async def _health(self, _request: Request) -> Response:
        return JSONResponse({"version": "local", "name": "GoTrue", "description": "Local Supabase Auth"})

    async def _show_settings(self, _request: Request) -> Response:
        return JSONResponse(
            {
                "external": {
                    "email": True,
                    "phone": False,
                    "anonymous_users": False,
                    **dict.fromkeys(self._external.names, True),
                },
                "disable_signup": self._settings.disable_signup,
                "mailer_autoconfirm": self._settings.autoconfirm,
                "phone_autoconfirm": False,
                "sms_provider": "",
                "saml_enabled": False,
            }
        )

    async def _jwks(self, _request: Request) -> Response:
        return JSONResponse(self._key.jwks(), headers={"cache-control": "public, max-age=600"})

    async def _signed_in(self, request: Request) -> tuple[Claims, Row]:
        """Return the claims and the user of a token whose session still exists; raises ApiError (401, 403)."""
        claims = bearer_claims(request, self._verifier)
        if not claims.get("sub"):
            raise ApiError(403, "bad_jwt", "invalid claim: missing sub claim")
        user = await self._users.by_id(str(claims["sub"]))
        if user is None:
            raise ApiError(403, "user_not_found", "User from sub claim in JWT does not exist")
        if not await self._sessions.exists(str(claims.get("session_id"))):
            raise ApiError(403, "session_not_found", "Session from session_id claim in JWT does not exist")
        check_not_banned(user, status=403)
        return claims, user

    async def _open_session(self, request: Request, user: Row) -> Response:
        session = await self._sessions.open(user["id"], method="password", **origin(request))
        return JSONResponse(session, headers=NO_STORE)
