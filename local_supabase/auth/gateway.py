"""API key and bearer token checks, as the gateway of a hosted project performs them."""

from ipaddress import IPv6Address, ip_address

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from local_supabase.auth.keys import Claims, Verifier
from local_supabase.errors import ApiError, TokenError
from local_supabase.web.responses import Endpoint

ADMIN_ROLES = ("service_role", "supabase_admin")
FORWARDED_FOR = "sb-forwarded-for"
"""Header in which a server with the service key states its client's address, as on a hosted project."""


def with_api_key(endpoint: Endpoint, verifier: Verifier) -> Endpoint:
    """Wrap an endpoint to answer 401 unless `apikey` (header or query parameter) holds a valid key."""

    async def checked(request: Request) -> Response:
        key = request.headers.get("apikey") or request.query_params.get("apikey")
        if not key:
            return _unauthorized("No API key found in request", "No `apikey` request header or url param was found.")
        try:
            request.state.has_service_key = verifier.verify(key)["role"] in ADMIN_ROLES
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
    """Return the client's address, empty if unknown; a server with the service key states that of its own client."""
    peer = request.client.host if request.client else ""
    if not getattr(request.state, "has_service_key", False):
        return peer
    try:
        return str(ip_address(request.headers.get(FORWARDED_FOR, "").strip()))
    except ValueError:
        return peer


def guesser(request: Request) -> str | None:
    """Return the key to limit guessing by: the client's address, of IPv6 64 bits; None for a server's own calls."""
    if getattr(request.state, "has_service_key", False) and not request.headers.get(FORWARDED_FOR):
        return None
    host = client_host(request)
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, IPv6Address):
        return str(address.ipv4_mapped or IPv6Address(int(address) >> 64 << 64))
    return str(address)


def _unauthorized(message: str, hint: str) -> Response:
    return JSONResponse({"message": message, "hint": hint}, status_code=401)
