"""SMTP servers as URLs: what is accepted, and what a refusal says."""

import pytest

from local_supabase.mail.smtp_url import SmtpServer, SmtpUrlError

SECRET = "s3cr3t"


def test_all_parts_of_a_url_are_read_and_decoded() -> None:
    server = SmtpServer.parse(
        "smtp://watch%40example.org:p%40ss%2Fw%3Ard%25@mail.example.org:2525?from=Night%20Watch%20<watch+a@example.org>"
    )
    assert (server.host, server.port, server.tls) == ("mail.example.org", 2525, False)
    assert (server.username, server.password) == ("watch@example.org", "p@ss/w:rd%")
    assert (server.sender_name, server.sender) == ("Night Watch", "watch+a@example.org")
    assert "p@ss" not in repr(server)


@pytest.mark.parametrize(
    ("url", "port", "tls"),
    [
        ("smtp://mail.example.org?from=a@example.org", 587, False),
        ("smtps://mail.example.org?from=a@example.org", 465, True),
        ("SMTPS://mail.example.org:2465/?from=a@example.org", 2465, True),
        ("smtp://[::1]:25?from=a@example.org", 25, False),
    ],
)
def test_the_scheme_decides_port_and_tls(url: str, port: int, tls: bool) -> None:
    server = SmtpServer.parse(url)
    assert (server.port, server.tls) == (port, tls)


def test_the_user_name_is_the_sender_where_it_is_an_address() -> None:
    assert SmtpServer.parse("smtps://a%40example.org:x@mail.example.org").sender == "a@example.org"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("", "smtp:// or smtps://"),
        ("mail.example.org:587", "smtp:// or smtps://"),
        (f"https://user:{SECRET}@mail.example.org", "smtp:// or smtps://"),
        ("smtp://", "names no host"),
        (f"smtp://user:{SECRET}@?from=a@example.org", "names no host"),
        (f"smtp://user:{SECRET}@mail.example.org:mail?from=a@example.org", "port is a number"),
        (f"smtp://user:{SECRET}@mail.example.org:99999?from=a@example.org", "port is a number"),
        (f"smtp://user:{SECRET}@mail.example.org:0?from=a@example.org", "port cannot be 0"),
        (f"smtp://user:{SECRET}/x@mail.example.org?from=a@example.org", "percent-encoded"),
        (f"smtp://user:{SECRET}#x@mail.example.org?from=a@example.org", "percent-encoded"),
        (f"smtp://user:{SECRET}[x@mail.example.org?from=a@example.org", "percent-encoded"),
        ("smtp://user@mail.example.org?from=a@example.org", "belong together"),
        (f"smtp://:{SECRET}@mail.example.org?from=a@example.org", "is empty"),
        ("smtp://user:@mail.example.org?from=a@example.org", "is empty"),
        (f"smtp://user:{SECRET}%0d%0aRSET@mail.example.org?from=a@example.org", "control character"),
        (f"smtp://user:{SECRET}\n@mail.example.org?from=a@example.org", "control character"),
        (f"smtp://user:{SECRET}@mail.example.org", "from is not an address"),
        ("smtp://mail.example.org?from=", "from is not an address"),
        ("smtp://mail.example.org?from=a@example.org,b@example.org", "from is not an address"),
        ("smtp://mail.example.org?from=a@example.org%0d%0aBcc:b@example.org", "from is not an address"),
        ("smtp://mail.example.org?from=a@example.org&from=b@example.org", "given twice"),
        (f"smtp://mail.example.org?from=a@example.org&password={SECRET}", "'password' is not known"),
    ],
)
def test_a_refusal_names_what_is_wrong_and_never_the_password(url: str, said: str) -> None:
    with pytest.raises(SmtpUrlError, match=said.replace("?", r"\?")) as refusal:
        SmtpServer.parse(url)
    assert SECRET not in str(refusal.value)
