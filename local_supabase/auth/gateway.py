"""API key and bearer token checks, as the gateway of a hosted project performs them."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from local_supabase.auth.keys import Claims, Verifier
from local_supabase.errors import ApiError, TokenError
from local_supabase.web.responses import Endpoint

ADMIN_ROLES = ("service_role", "supabase_admin")


def with_api_key(endpoint: Endpoint, verifier: Verifier) -> Endpoint:
    """Wrap an endpoint to answer 401 unless `apikey` (header or query parameter) holds a valid key."""

    async def checked(request: Request) -> Response:
        key = request.headers.get("apikey") or request.query_params.get("apikey")
        if not key:
            return _unauthorized("No API key found in request", "No `apikey` request header or url param was found.")
        try:
            verifier.verify(key)
        except TokenError:
            return _unauthorized("Invalid API key", "Double check your Supabase `anon` or `service_role` API key.")
        return await endpoint(request)

    return checked


def bearer_token(request: Request) -> str | None:
    """Return the token of the `Authorization: Bearer` header, None if there is none."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" and token else None


def bearer_claims(request: Request, verifier: Verifier) -> Claims:
    """Return the bearer token's claims; raises ApiError (401, 403) with GoTrue's codes."""
    token = bearer_token(request)
    if token is None:
        raise ApiError(401, "no_authorization", "This endpoint requires a valid Bearer token")
    try:
        return verifier.verify(token)
    except TokenError as error:
        reason = "token is expired" if "expired" in str(error) else "unable to parse or verify signature"
        raise ApiError(403, "bad_jwt", f"invalid JWT: {reason}, {error}") from error


def require_service_role(request: Request, verifier: Verifier) -> None:
    """Raise ApiError (401, 403) unless the bearer token has an administrator's role."""
    if bearer_claims(request, verifier)["role"] not in ADMIN_ROLES:
        raise ApiError(403, "not_admin", "User not allowed")


def client_host(request: Request) -> str:
    """Return the client's address, empty if it is not known."""
    return request.client.host if request.client else ""


def _unauthorized(message: str, hint: str) -> Response:
    return JSONResponse({"message": message, "hint": hint}, status_code=401)
