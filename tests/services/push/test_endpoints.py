"""Endpoints of devices lead to public push services only, whatever a browser claims and a name server answers."""

import pytest

from services.errors import NotAccepted
from services.push.endpoints import checked_endpoint, is_of_apple

PUBLIC = "93.184.216.34"


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://fcm.googleapis.com/fcm/send/abc:def",
        "https://updates.push.services.mozilla.com/wpush/v2/gAAA",
        "https://web.push.apple.com/QAbc",
        "https://wns2-am3p.notify.windows.com/w/?token=BQYAAA%2b",
        f"https://{PUBLIC}/x",
    ],
)
def test_push_services_are_accepted(endpoint: str) -> None:
    assert checked_endpoint(endpoint) == endpoint


@pytest.mark.parametrize(
    "endpoint",
    [
        *(
            "",
            "https://",
            "https:///x",
            "no url",
            "https://[::1",
            "https://a b.example.com/",
            "https://x.example.com/\n",
        ),
        *(
            "http://push.example.com/secret",
            "ftp://push.example.com/secret",
            "javascript:alert(1)",
            "file:///etc/passwd",
        ),
        *("https://localhost/secret", "https://127.0.0.1/secret", "https://[::1]/secret", "https://0.0.0.0/secret"),
        *(
            "https://10.0.0.1/secret",
            "https://192.168.1.1/secret",
            "https://169.254.169.254/latest",
            "https://100.64.0.1/",
        ),
        *("https://[::ffff:127.0.0.1]/secret", "https://[fd00::1]/", "https://[2002:7f00:1::]/", "https://224.0.0.1/"),
        *("https://push.example.com:8443/secret", "https://user@push.example.com/secret", "https://db/secret"),
        *(
            "https://printer.local/secret",
            "https://x.localhost/",
            "https://metadata.google.internal/",
            "https://a.b\\@c.d/",
        ),
        "https://push.example.com/" + "x" * 1000,
    ],
)
def test_what_is_no_push_service_is_refused_and_its_secret_is_not_repeated(endpoint: str) -> None:
    with pytest.raises(NotAccepted) as refused:
        checked_endpoint(endpoint)
    assert "secret" not in str(refused.value)


def test_devices_of_apple_are_known_by_the_host() -> None:
    assert is_of_apple("https://web.push.apple.com/x")
    assert not is_of_apple("https://web.push.apple.com.example.org/x")
