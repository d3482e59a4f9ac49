"""Endpoints that a browser visits: `/authorize` leads to the provider, and `/callback` back to the application."""

from collections.abc import Callable, Mapping
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import psycopg
import structlog
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from local_supabase.auth.accounts import AuthSettings
from local_supabase.auth.external import flows
from local_supabase.auth.external.flows import Flow
from local_supabase.auth.external.identities import ExternalIdentity, sign_in
from local_supabase.auth.external.provider import OidcProvider, ProviderSettings
from local_supabase.auth.link_endpoints import NO_STORE, OAUTH_ERRORS, origin
from local_supabase.auth.pkce import Challenge
from local_supabase.auth.sessions import Sessions
from local_supabase.auth.users import Users
from local_supabase.errors import ApiError, PostgresError, ProviderError

log = structlog.get_logger()

ACCESS_DENIED = {"signup_disabled", "user_banned", "provider_email_needs_verification"}
# What a client may not choose, besides what concerns this server only.
RESERVED = {
    "client_id", "client_secret", "redirect_uri", "response_type", "response_mode", "request", "request_uri", "state",
    "code_challenge", "code_challenge_method", "code_verifier", "nonce", "scope",
    "provider", "scopes", "redirect_to", "apikey", "invite_token", "skip_http_redirect",
}  # fmt: skip
MAX_CODE_LENGTH = 8192
MAX_ERROR_LENGTH = 300
PROVIDER_ERRORS = {
    "access_denied", "login_required", "consent_required", "interaction_required", "account_selection_required",
    "invalid_request", "unauthorized_client", "unsupported_response_type", "invalid_scope", "server_error",
    "temporarily_unavailable",
}  # fmt: skip


class ExternalEndpoints:
    """Endpoints of the sign-in by an external provider; None for a server without one.

    Args:
        users: the users and flows.
        sessions: opens sessions of the implicit flow.
        settings: settings of the Auth server.
        provider: the provider.
        target: returns the allowed address to which a request leads.
    """

    def __init__(
        self,
        users: Users,
        sessions: Sessions,
        settings: AuthSettings,
        provider: OidcProvider | None,
        target: Callable[[Request], str],
    ) -> None:
        self._users = users
        self._sessions = sessions
        self._settings = settings
        self._provider = provider
        self._target = target

    @property
    def names(self) -> list[str]:
        """Names of the providers."""
        return [self._provider.settings.name] if self._provider else []

    async def authorize(self, request: Request) -> Response:
        """Lead the browser to the provider; a provider that is down leads it back with an error."""
        query = request.query_params
        name = query.get("provider", "").lower()
        provider = self._provider
        if provider is None or name not in self.names:
            reason = f"Provider {name[:50]} could not be found" if provider else "provider is not enabled"
            raise ApiError(400, "validation_failed", f"Unsupported provider: {reason}")
        challenge = Challenge.parse({key: query.get(key) for key in ("code_challenge", "code_challenge_method")})
        target = self._target(request)
        flow = await flows.begin(self._users, provider=name, redirect_to=target, challenge=challenge)
        try:
            url = await provider.authorization_url(
                state=str(flow.id),
                verifier=flow.verifier,
                scopes=tuple(query.get("scopes", "").replace(",", " ").split()),
                parameters={key: value for key, value in query.items() if key.lower() not in RESERVED},
            )
        except ProviderError as error:
            log.error("external provider unavailable", provider=name, cause=str(error))
            return _failed(target, ApiError(503, "unexpected_failure", f"Unable to reach external provider: {error}"))
        return _found(url)

    async def callback(self, request: Request) -> Response:
        """Sign in who comes back from the provider, and lead the browser to the application."""
        try:
            flow = await flows.take(self._users, request.query_params.get("state", ""))
        except ApiError as error:
            # The flow's own address is not known, or no longer meant.
            return RedirectResponse(
                _with_query(self._settings.site_url, _error(error)), status_code=303, headers=NO_STORE
            )
        try:
            return _found(await self._finish(request, flow))
        except _ProviderRefused as refusal:
            return _failed(flow.redirect_to, refusal)
        except (psycopg.Error, PostgresError) as error:
            log.error("external sign-in not stored", cause=str(error).partition("\n")[0])
            return _failed(flow.redirect_to, ApiError(503, "unexpected_failure", "The database is not reachable"))
        except ApiError as error:
            log.info("external sign-in refused", error_code=error.code, cause=str(error))
            return _failed(flow.redirect_to, error)

    async def _finish(self, request: Request, flow: Flow) -> str:
        identity = await self._identify(request.query_params, flow)
        settings = self._provider.settings if self._provider else None
        may_sign_up = not self._settings.disable_signup or (settings is not None and _may_sign_up(identity, settings))
        async with self._users.transaction() as cursor:
            user_id = await sign_in(cursor, identity, may_sign_up=may_sign_up)
            await flows.finish(cursor, flow, user_id)
        if flow.auth_code is not None:
            return _with_query(flow.redirect_to, {"code": flow.auth_code})
        session = await self._sessions.open(user_id, method=flows.METHOD, **origin(request))
        names = ("access_token", "token_type", "expires_in", "expires_at", "refresh_token")
        return f"{flow.redirect_to}#{urlencode({**{name: session[name] for name in names}, 'sb': ''})}"

    async def _identify(self, query: Mapping[str, str], flow: Flow) -> ExternalIdentity:
        if refusal := query.get("error"):
            raise _ProviderRefused(refusal, query.get("error_description", ""))
        code = query.get("code", "")
        if not 0 < len(code) <= MAX_CODE_LENGTH:
            raise ApiError(400, "bad_oauth_callback", "OAuth callback with missing authorization code missing")
        provider = self._provider
        if provider is None:
            raise ApiError(400, "oauth_provider_not_supported", "Unsupported provider: provider is not enabled")
        # RFC 9207: a response of another server.
        if query.get("iss", provider.settings.issuer).rstrip("/") != provider.settings.issuer.rstrip("/"):
            raise ApiError(400, "bad_oauth_callback", "OAuth callback from another issuer")
        try:
            claims = await provider.identify(code, flow.verifier)
        except ProviderError as error:
            log.error("external sign-in failed", provider=provider.settings.name, cause=str(error))
            message = f"Error getting user profile from external provider: {error}"
            raise ApiError(500, "unexpected_failure", message) from error
        return ExternalIdentity.from_claims(provider.settings.name, claims)


class _ProviderRefused(ApiError):
    """The provider's own error (RFC 6749, section 4.1.2.1), which the application receives as it is."""

    def __init__(self, error: str, description: str) -> None:
        known = error if error in PROVIDER_ERRORS else "server_error"
        super().__init__(403, "", description[:MAX_ERROR_LENGTH])
        self.error = known


def _may_sign_up(identity: ExternalIdentity, settings: ProviderSettings) -> bool:
    domains = {each.lower() for each in settings.sign_up_domains}
    return identity.is_verified and ("*" in domains or identity.domain in domains)


def _error(error: ApiError) -> dict[str, str]:
    if isinstance(error, _ProviderRefused):
        return {"error": error.error, "error_description": str(error)}
    kind = "access_denied" if error.code in ACCESS_DENIED else OAUTH_ERRORS.get(error.status, "server_error")
    return {"error": kind, "error_code": error.code, "error_description": str(error)}


def _failed(target: str, error: ApiError) -> Response:
    reason = _error(error)
    bare = urlunsplit(urlsplit(target)._replace(fragment=""))
    return _found(f"{_with_query(bare, reason)}#{urlencode({**reason, 'sb': ''})}")


def _with_query(url: str, values: Mapping[str, str]) -> str:
    parts = urlsplit(url)
    kept = [(name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True) if name not in values]
    return urlunsplit(parts._replace(query=urlencode([*kept, *values.items()])))


def _found(url: str) -> Response:
    return RedirectResponse(url, status_code=302, headers=NO_STORE)
