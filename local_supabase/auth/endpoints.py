"""The Auth server at `/auth/v1`: sign-up, sessions, the user and the public keys, in GoTrue's formats."""

import time
from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local_supabase.auth.accounts import Accounts, AuthSettings
from local_supabase.auth.admin import AdminEndpoints
from local_supabase.auth.fields import email_field, object_field, text_field
from local_supabase.auth.gateway import bearer_claims, with_api_key
from local_supabase.auth.keys import Claims, SigningKey, Verifier, sign
from local_supabase.auth.users import Row, Users, check_not_banned, user_json
from local_supabase.errors import ApiError
from local_supabase.web.bodies import read_json_object
from local_supabase.web.rate_limiter import RateLimiter

NO_STORE = {"cache-control": "no-store"}


class Auth:
    """The Auth endpoints; borrows its database connections from `users`."""

    def __init__(
        self,
        users: Users,
        key: SigningKey,
        verifier: Verifier,
        settings: AuthSettings,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.accounts = Accounts(users, settings)
        self._users = users
        self._admin = AdminEndpoints(self.accounts, verifier)
        self._key = key
        self._verifier = verifier
        self._settings = settings
        self._attempts = RateLimiter(settings.password_attempts, settings.password_attempts_window, clock)
        self._clock = clock

    def routes(self) -> list[Route]:
        """Return the routes below `/auth/v1`; all but the public keys require the API key."""
        guarded = [
            ("/signup", self._sign_up, ["POST"]),
            ("/token", self._token, ["POST"]),
            ("/user", self._user, ["GET"]),
            ("/user", self._update_user, ["PUT"]),
            ("/logout", self._log_out, ["POST"]),
            ("/health", self._health, ["GET"]),
            ("/settings", self._show_settings, ["GET"]),
            ("/admin/users", self._admin.create, ["POST"]),
            ("/admin/users", self._admin.list, ["GET"]),
            ("/admin/users/{id}", self._admin.get, ["GET"]),
            ("/admin/users/{id}", self._admin.update, ["PUT"]),
            ("/admin/users/{id}", self._admin.delete, ["DELETE"]),
        ]
        routes = [Route(path, with_api_key(view, self._verifier), methods=methods) for path, view, methods in guarded]
        return [Route("/.well-known/jwks.json", self._jwks, methods=["GET"]), *routes]

    async def _sign_up(self, request: Request) -> Response:
        body = await read_json_object(request)
        if not body.get("email"):
            if body.get("password"):
                raise ApiError(400, "validation_failed", "To signup, please provide your email")
            raise ApiError(422, "anonymous_provider_disabled", "Anonymous sign-ins are disabled")
        if not body.get("password"):
            raise ApiError(400, "validation_failed", "Signup requires a valid password")
        user = await self.accounts.create(
            text_field(body, "email"), text_field(body, "password"), user_metadata=object_field(body, "data")
        )
        return await self._open_session(request, user)

    async def _token(self, request: Request) -> Response:
        match request.query_params.get("grant_type"):
            case "password":
                return await self._sign_in(request)
            case "refresh_token":
                return await self._refresh(request)
        return JSONResponse({"error": "unsupported_grant_type", "error_description": ""}, status_code=400)

    async def _refresh(self, request: Request) -> Response:
        token = text_field(await read_json_object(request), "refresh_token")
        if not token:
            raise ApiError(400, "validation_failed", "Refresh token is not valid")
        user, refresh_token = await self._users.rotate(token)
        return JSONResponse(self._session(user, refresh_token), headers=NO_STORE)

    async def _sign_in(self, request: Request) -> Response:
        body = await read_json_object(request)
        email, password = text_field(body, "email").strip().lower(), text_field(body, "password")
        if not email:
            raise ApiError(400, "validation_failed", "missing email or phone")
        # Counted before the outcome is known, so that concurrent guesses count too.
        origin = (email, _client_host(request))
        if not self._attempts.acquire(origin):
            raise ApiError(429, "over_request_rate_limit", "Request rate limit reached")
        user = await self._users.by_email(email)
        hashed = user["encrypted_password"] if user else None
        if not await self.accounts.passwords.verify(password, hashed) or user is None:
            raise ApiError(400, "invalid_credentials", "Invalid login credentials")
        self._attempts.reset(origin)
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
        password_hash = None
        if password := text_field(body, "password"):
            self.accounts.check_password(password)
            if await self.accounts.passwords.verify(password, user["encrypted_password"]):
                raise ApiError(422, "same_password", "New password should be different from the old password.")
            password_hash = await self.accounts.hash_password(password)
        email = email_field(body)
        metadata = object_field(body, "data")
        if email:
            metadata["email"] = email
        updated = await self._users.update(user["id"], email=email, password_hash=password_hash, user_metadata=metadata)
        if password_hash:
            await self._users.close_sessions(str(user["id"]), str(claims["session_id"]), "others")
        return JSONResponse(user_json(updated))

    async def _log_out(self, request: Request) -> Response:
        scope = request.query_params.get("scope", "global")
        if scope not in ("local", "global", "others"):
            raise ApiError(400, "validation_failed", f'Unsupported logout scope "{scope}"')
        claims, user = await self._signed_in(request)
        await self._users.close_sessions(str(user["id"]), str(claims["session_id"]), scope)
        return Response(status_code=204)

    async def _health(self, _request: Request) -> Response:
        return JSONResponse({"version": "local", "name": "GoTrue", "description": "Local Supabase Auth"})

    async def _show_settings(self, _request: Request) -> Response:
        return JSONResponse(
            {
                "external": {"email": True, "phone": False, "anonymous_users": False},
                "disable_signup": False,
                "mailer_autoconfirm": True,
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
        if not await self._users.session_exists(str(claims.get("session_id"))):
            raise ApiError(403, "session_not_found", "Session from session_id claim in JWT does not exist")
        return claims, user

    async def _open_session(self, request: Request, user: Row) -> Response:
        updated, refresh_token = await self._users.open_session(
            user["id"], user_agent=request.headers.get("user-agent", ""), ip=_client_host(request) or None
        )
        return JSONResponse(self._session(updated, refresh_token), headers=NO_STORE)

    def _session(self, user: Row, refresh_token: str) -> dict[str, Any]:
        now = int(self._clock())
        claims: Claims = {
            "iss": self._settings.issuer,
            "sub": str(user["id"]),
            "aud": user["aud"],
            "exp": now + self._settings.token_lifetime,
            "iat": now,
            "email": user["email"],
            "phone": user["phone"] or "",
            "app_metadata": user["raw_app_meta_data"] or {},
            "user_metadata": user["raw_user_meta_data"] or {},
            "role": user["role"],
            "aal": "aal1",
            "amr": [{"method": "password", "timestamp": now}],
            "session_id": str(user["session_id"]),
            "is_anonymous": user["is_anonymous"],
        }
        return {
            "access_token": sign(self._key, claims),
            "token_type": "bearer",
            "expires_in": self._settings.token_lifetime,
            "expires_at": claims["exp"],
            "refresh_token": refresh_token,
            "user": user_json(user),
        }


def _client_host(request: Request) -> str:
    return request.client.host if request.client else ""
