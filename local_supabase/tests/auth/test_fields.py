"""Fields of requests: addresses and durations."""

from datetime import timedelta

import pytest

from local_supabase.auth.fields import ban_field, check_known, normalize_email
from local_supabase.errors import ApiError


@pytest.mark.parametrize("email", ["a@b", "A.B+c@Example.com", "a'b@b-c.de", "a" * 64 + "@b.c"])
def test_an_address_of_the_html_standard_is_taken(email: str) -> None:
    assert normalize_email(email) == email.lower()


@pytest.mark.parametrize(
    "email",
    [
        "", "@", "a", "a@", "@b", "a@b.", "a@b..c", "a@.b", "a@-b.c", "a@b-.c", "<a>@b.c", "xx:;x@x.x", "a b@c.d",
        "a@b@c", "a@b.c\0", "a@b.c\nd", "ä@b.c", "a@ä.de", "a@" + "b" * 64 + ".c", "a" * 251 + "@b.cd",
    ],
)  # fmt: skip
def test_any_other_address_is_refused(email: str) -> None:
    with pytest.raises(ApiError, match="email address") as caught:
        normalize_email(email)
    assert (caught.value.status, caught.value.code) == (400, "validation_failed")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1h", 3600), ("876000h", 876000 * 3600), ("1h30m", 5400), ("1.5h", 5400), (".5m", 30), ("100ms", 0.1),
        ("-1h", -3600), ("+10s", 10), ("none", 0), ("0", 0), ("0s", 0), ("1m1us", 60.000001),
    ],
)  # fmt: skip
def test_a_ban_lasts_as_long_as_go_reads_the_duration(text: str, seconds: float) -> None:
    assert ban_field({"ban_duration": text}) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["1", "1 h", "h", "1d", "NaN", "-", "1h-30m", "1e3h", "99999999h", "٣h", "forever"])
def test_any_other_duration_is_refused(text: str) -> None:
    with pytest.raises(ApiError, match="invalid format for ban duration"):
        ban_field({"ban_duration": text})


def test_no_duration_is_no_ban() -> None:
    assert ban_field({}) is None
    assert ban_field({"ban_duration": ""}) is None


def test_an_unknown_field_is_refused_unless_it_is_empty() -> None:
    check_known({"email": "x", "phone": None, "channel": "", "other": False}, {"email"})
    with pytest.raises(ApiError, match="`phone`") as caught:
        check_known({"phone": "123"}, {"email"})
    assert caught.value.code == "phone_provider_disabled"
    with pytest.raises(ApiError, match="`other`"):
        check_known({"other": {}}, {"email"})
