"""Names under which clients reach the API: DNS rebinding leads nowhere."""

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from local_supabase.process import LocalSupabase
from local_supabase.tests.speed import deadline

pytestmark = pytest.mark.integration
JWKS = "/auth/v1/.well-known/jwks.json"


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:54321", 200),
        ("supabase.localhost", 200),
        ("[::1]:1", 200),
        ("192.0.2.1", 200),
        ("rebound.evil.test", 421),
        ("localhost.evil.test", 421),
        ("127.0.0.1.evil.test", 421),
    ],
)
async def test_only_loopback_names_and_addresses_lead_to_the_api(local: LocalSupabase, host: str, status: int) -> None:
    async with httpx.AsyncClient(base_url=local.status.api_url, timeout=deadline(10)) as http:
        answer = await http.get(JWKS, headers={"Host": host})
    assert answer.status_code == status
    assert status == 200 or "--allowed-host" in answer.json()["msg"]


async def test_a_rebound_name_opens_no_socket_even_with_a_key(local: LocalSupabase) -> None:
    key = local.status.anon_key.get_secret_value()
    url = httpx.URL(local.status.api_url)
    with pytest.raises(InvalidStatus) as refusal:
        await connect(
            f"ws://rebound.evil.test:{url.port}/realtime/v1/websocket?vsn=1.0.0&apikey={key}",
            host=url.host,
            port=url.port,
        )
    assert refusal.value.response.status_code == 421
