"""Delivery by SMTP: to a real server, with its refusals, its silence and its encryption."""

import asyncio
import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from aiosmtpd.smtp import AuthResult, LoginPassword
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from local_supabase.mail import delivery
from local_supabase.mail.delivery import Mailer, MailError
from local_supabase.mail.message import Mail
from local_supabase.mail.smtp_url import SmtpServer
from local_supabase.tests.mail_server import MailServer, mail_server, text_of

MAIL = Mail(to="bob@example.org", subject="Hello", paragraphs=["How are you?"])
NOW = (0.0, 0.0)


def mailer(server: MailServer, *, credentials: str = "") -> Mailer:
    return Mailer(SmtpServer.parse(server.url.replace("://", f"://{credentials}")), retries=NOW)


async def test_a_mail_arrives_with_text_and_html() -> None:
    async with mail_server() as server, mailer(server) as sending:
        await sending.send(MAIL)
    (mail,) = server.mails
    assert (mail["Subject"], mail["From"], text_of(mail)) == (
        "Hello",
        "Watch <watch@example.org>",
        "How are you?\n",
    )
    assert server.envelopes[0].mail_from == "watch@example.org"
    assert mail.get_content_type() == "multipart/alternative"


async def test_a_busy_server_is_tried_again_and_a_refusal_is_not() -> None:
    async with mail_server() as server, mailer(server) as sending:
        server.answers = ["451 Try again later", "451 Try again later"]
        await sending.send(MAIL)
        assert len(server.mails) == 1
        server.refusals = ["550 No such user"]
        with pytest.raises(MailError, match="refused the recipient: 550 No such user"):
            await sending.send(MAIL)
        server.answers = ["451 busy"] * 3
        with pytest.raises(MailError, match="refused the mail: 451 busy"):
            await sending.send(MAIL)
        assert server.answers == []
    assert len(server.mails) == 1


async def test_a_server_that_is_not_there_fails_with_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    async with mail_server() as server:
        pass
    url = server.url.replace("://", "://user:s3cr3t@")
    async with Mailer(SmtpServer.parse(url), retries=NOW) as sending:
        with pytest.raises(MailError, match=rf"127\.0\.0\.1:{server.port} does not respond"):
            await sending.send(MAIL)
    output = capsys.readouterr()
    assert "mail not sent" in output.out + output.err
    assert "s3cr3t" not in output.out + output.err
    assert "bob@" not in output.out + output.err


async def test_a_full_queue_refuses_and_what_is_queued_leaves_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "QUEUE_SIZE", 2)
    async with mail_server() as server:
        async with mailer(server) as sending:
            for _ in range(2):
                sending.enqueue(MAIL)
            with pytest.raises(MailError, match="Too many mails"):
                sending.enqueue(MAIL)
        assert len(server.mails) == 2


async def test_who_waits_may_leave_and_the_mail_goes_all_the_same() -> None:
    async with mail_server() as server, mailer(server) as sending:
        waiting = asyncio.create_task(sending.send(MAIL))
        await asyncio.sleep(0)
        waiting.cancel()
        await server.mail_to("bob@example.org")


async def test_a_password_is_never_sent_in_the_clear() -> None:
    seen: list[object] = []

    def authenticate(*_: object) -> AuthResult:
        seen.append(_)
        return AuthResult(success=True)

    async with (
        mail_server(authenticator=authenticate, auth_require_tls=False) as server,
        mailer(server, credentials="user:s3cr3t@") as sending,
    ):
        with pytest.raises(MailError, match="offers no STARTTLS"):
            await sending.send(MAIL)
    assert seen == []


async def test_with_starttls_the_user_signs_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def authenticate(_server: object, _session: object, _envelope: object, _way: object, data: object) -> AuthResult:
        assert isinstance(data, LoginPassword)
        return AuthResult(success=data.password == b"right", handled=False)

    tls = certificate(tmp_path)
    async with mail_server(tls=tls, authenticator=authenticate) as server:
        async with mailer(server, credentials="user:right@") as sending:
            with pytest.raises(MailError, match=r"certificate of the mail server .* could not be verified"):
                await sending.send(MAIL)
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "server.pem"))
        async with mailer(server, credentials="user:right@") as sending:
            await sending.send(MAIL)
        async with mailer(server, credentials="user:wrong@") as sending:
            with pytest.raises(MailError, match="refused user name or password"):
                await sending.send(MAIL)
        monkeypatch.delenv("SSL_CERT_FILE")
        assert len(server.mails) == 1


async def test_without_a_password_a_certificate_of_the_relays_own_is_enough(tmp_path: Path) -> None:
    async with mail_server(tls=certificate(tmp_path), require_starttls=True) as server, mailer(server) as sending:
        await sending.send(MAIL)
    assert len(server.mails) == 1


def certificate(folder: Path) -> ssl.SSLContext:
    """Return the context of a server at 127.0.0.1 with a certificate of its own, in `folder/server.pem`."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])

    now = datetime.now(UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    )
    (folder / "server.pem").write_bytes(built.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem", folder / "key.pem")
    return context
