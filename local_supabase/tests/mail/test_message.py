"""Messages: headers that no name breaks out of, and the same words as text and as HTML."""

from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default

import pytest

from local_supabase.mail.link_template import fill, unknown_variables
from local_supabase.mail.message import AddressError, Mail, compose
from local_supabase.mail.smtp_url import SmtpServer

SERVER = SmtpServer.parse("smtp://mail.example.org?from=Watch%20<watch@example.org>")
EVIL = "Ada\r\nBcc: eve@example.org\r\n\r\n<script>alert(1)</script>\u2028\u202eesrever\x00"


def sent(mail: Mail) -> EmailMessage:
    """Return a message as its recipient parses it."""
    return message_from_bytes(compose(mail, SERVER).as_bytes(), policy=default)


def test_a_name_cannot_end_a_header_or_be_markup() -> None:
    mail = sent(Mail(to="bob@example.org", subject=f"{EVIL} invites you", paragraphs=[f"{EVIL} invites you."]))
    assert mail["Bcc"] is None
    assert mail["Subject"].strip().startswith("Ada Bcc: eve@example.org <script>")
    assert not any(each in mail["Subject"] for each in "\r\n\x00\u2028\u202e")
    html = mail.get_body(("html",))
    assert html
    assert "<script>" not in html.get_content()
    assert mail["To"] == "bob@example.org"
    assert {"From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type"} <= set(
        mail.keys()
    )
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Message-ID"].endswith("@example.org>")
    assert mail["Date"].datetime


@pytest.mark.parametrize("name", ["شركة المراقبة", "x" * 5000, "Zoë, \"Bob\" <b@x>; 'q'", "   ", "😀" * 300])
def test_any_name_fits_in_a_subject(name: str) -> None:
    mail = sent(
        Mail(to="bob@example.org", subject=f"Join {name}", paragraphs=[name], action=("Join", "http://a/b?c=d&e=f"))
    )
    assert len(mail["Subject"]) <= 160
    assert mail["Subject"].strip().startswith(f"Join {name.strip()[:20]}".strip())
    text, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert text
    assert html
    assert "http://a/b?c=d&e=f" in text.get_content()
    assert 'href="http://a/b?c=d&amp;e=f"' in html.get_content()


@pytest.mark.parametrize(
    "address",
    ["", "nobody", "a@b@c", "a@example.org, b@example.org", "a@example.org\r\nRCPT TO:<b@c>", "<a@b>", "a b@c", "a@",
     "a@.."],
)  # fmt: skip
def test_a_mail_goes_to_one_address(address: str) -> None:
    with pytest.raises(AddressError):
        compose(Mail(to=address, subject="x", paragraphs=[]), SERVER)


def test_an_international_domain_is_encoded() -> None:
    assert sent(Mail(to="a@bücher.example", subject="x", paragraphs=["y"]))["To"] == "a@xn--bcher-kva.example"


def test_a_link_inserts_each_value_once() -> None:
    template = "{{ .SiteURL }}/confirm?token_hash={{.TokenHash}}&type={{ .Type }}"
    values = {"SiteURL": "https://a", "TokenHash": "{{ .Type }}", "Type": "signup"}
    assert fill(template, values) == "https://a/confirm?token_hash={{ .Type }}&type=signup"
    assert unknown_variables("{{ .SiteURL }}{{ .Data }}") == ["Data"]
