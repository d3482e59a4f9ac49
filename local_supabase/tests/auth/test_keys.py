"""Tokens that a project signs itself."""

import time
from pathlib import Path

import httpx
import jwt
import psutil
import pytest

from local_supabase.auth.keys import SigningKey, Verifier, sign
from local_supabase.errors import StartError, TokenError
from local_supabase.process import LocalSupabase
from local_supabase.tests.speed import deadline

SECRET = "a secret of at least thirty-two bytes"


def claims() -> dict[str, object]:
    return {"role": "anon", "exp": int(time.time()) + 60}


def test_tokens_of_the_secret_and_of_the_key_are_accepted() -> None:
    key = SigningKey.generate()
    verifier = Verifier(key, secret=SECRET)
    assert verifier.verify(jwt.encode(claims(), SECRET))["role"] == "anon"
    assert verifier.verify(sign(key, claims()))["role"] == "anon"


def test_no_other_token_is_accepted() -> None:
    key = SigningKey.generate()
    own, other = jwt.encode(claims(), SECRET), jwt.encode(claims(), f"another {SECRET}")
    for verifier, token in (
        (Verifier(key), own),
        (Verifier(key, secret=SECRET), other),
        (Verifier(key, secret=SECRET), jwt.encode(claims(), SECRET + "x" * 40, algorithm="HS512")),
        (Verifier(key, secret=SECRET), jwt.encode(claims(), "", algorithm="none")),
        (Verifier(key, secret=SECRET), sign(SigningKey.generate(), claims())),
    ):
        with pytest.raises(TokenError):
            verifier.verify(token)


@pytest.mark.integration
async def test_the_clients_of_a_project_use_its_own_tokens(tmp_path: Path) -> None:
    async with LocalSupabase.start(data=tmp_path / "data", jwt_secret=SECRET) as local:
        service = jwt.encode({**claims(), "role": "service_role"}, SECRET)
        headers = {"apikey": jwt.encode(claims(), SECRET), "authorization": f"Bearer {service}"}
        async with httpx.AsyncClient(timeout=deadline(10), headers=headers) as http:
            assert (await http.get(f"{local.status.api_url}/auth/v1/admin/users")).status_code == 200
        assert SECRET not in " ".join(psutil.Process(local.pid).cmdline())


@pytest.mark.integration
async def test_a_short_secret_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="at least 32 bytes"):
        async with LocalSupabase.start(data=tmp_path / "data", jwt_secret="short"):
            pass
