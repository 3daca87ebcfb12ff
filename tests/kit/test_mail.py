"""Letters: to a real SMTP server on loopback, over TLS that is checked, and into a folder."""

from __future__ import annotations

import ssl
from email import message_from_bytes
from pathlib import Path
from smtplib import SMTPException
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from llm_banking.kit.mail import FolderMail, Letter, SmtpMail, SmtpServer, Tls
from llm_banking.operations.mailing import mail_of
from llm_banking.settings import Environment, Settings
from tests.support.smtp_server import certificate, smtp_server

LETTER = Letter("ana@example.com", "A subject", "Some words\n.\nand a line with a dot alone.\n")


def server(port: int, tls: Tls = "none", ca_file: Path | None = None, **more: Any) -> SmtpMail:
    return SmtpMail(SmtpServer("127.0.0.1", port, tls, "bank@example.com", ca_file=ca_file, **more))


async def test_a_letter_arrives_as_it_was_written() -> None:
    async with smtp_server() as inbox:
        await server(inbox.port).send(LETTER)
    (found,) = inbox.letters
    assert (found["From"], found["To"], found["Subject"]) == ("bank@example.com", "ana@example.com", "A subject")
    assert found.get_content().replace("\r\n", "\n").replace("\n..\n", "\n.\n") == LETTER.text
    assert found["Auto-Submitted"] == "auto-generated"


@pytest.mark.parametrize("tls", ["starttls", "tls"])
async def test_a_letter_is_encrypted_on_its_way(tls: Tls, tmp_path: Path) -> None:
    context, public = certificate(tmp_path)
    async with smtp_server(context, from_the_first_byte=tls == "tls") as inbox:
        await server(inbox.port, tls, public, username="bank", password="a word").send(LETTER)
        assert (len(inbox.letters), inbox.secured, len(inbox.logins)) == (1, 1, 1)
        with pytest.raises(ssl.SSLError):
            await server(inbox.port, tls).send(LETTER)
        assert len(inbox.letters) == 1, "a server that nobody vouches for is sent nothing"


async def test_a_server_that_offers_no_tls_is_sent_nothing() -> None:
    async with smtp_server() as inbox:
        with pytest.raises(SMTPException):
            await server(inbox.port, "starttls").send(LETTER)
    assert inbox.letters == []


async def test_a_letter_that_was_not_taken_raises() -> None:
    async with smtp_server() as inbox:
        inbox.refuses = True
        with pytest.raises(SMTPException):
            await server(inbox.port).send(LETTER)
    with pytest.raises(OSError, match="refused"):
        await server(inbox.port).send(LETTER)


async def test_a_line_break_makes_no_header() -> None:
    async with smtp_server() as inbox:
        with pytest.raises(ValueError, match=r"header|linefeed|newline"):
            await server(inbox.port).send(Letter("a@example.com\r\nBcc: b@example.com", "x", "y"))
    assert inbox.letters == []


async def test_a_folder_keeps_letters_to_its_owner(tmp_path: Path) -> None:
    folder = tmp_path / "outgoing"
    for _ in range(2):
        await FolderMail(folder).send(LETTER)
    files = list(folder.iterdir())
    assert (folder.stat().st_mode & 0o777, {one.stat().st_mode & 0o777 for one in files}) == (0o700, {0o600})
    assert len(files) == 2
    assert message_from_bytes(files[0].read_bytes())["To"] == "ana@example.com"


def test_nothing_of_a_letter_or_a_password_is_shown() -> None:
    shown = repr(LETTER) + repr(SmtpServer("h", 1, "tls", "s@example.com", "u", "the password"))
    assert "ana@" not in shown
    assert "words" not in shown
    assert "the password" not in shown


def test_how_letters_go_follows_from_the_settings(settings: Settings) -> None:
    assert isinstance(mail_of(settings), FolderMail)
    bank = settings.model_copy(update={"environment": Environment.PRODUCTION})
    assert mail_of(bank) is None
    named = bank.model_copy(update={"smtp_host": "mail.example.com", "smtp_from": "bank@example.com"})
    assert isinstance(mail_of(named), SmtpMail)


@pytest.mark.parametrize(
    ("said", "named"),
    [
        ({"SMTP_HOST": "mail.example.com"}, "SMTP_FROM"),
        ({"SMTP_FROM": "bank@example.com"}, "SMTP_HOST"),
        ({"SMTP_USERNAME": "bank"}, "SMTP_PASSWORD"),
        ({"SMTP_TLS": "none"}, "SMTP_TLS"),
        ({"SMTP_FROM": "no address"}, "smtp_from"),
        ({"SMTP_HOST": "two words"}, "smtp_host"),
    ],
)
def test_half_of_the_settings_is_refused(said: dict[str, str], named: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in said.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError, match=named):
        Settings()


def test_a_password_is_a_secret(settings: Settings) -> None:
    assert Settings.model_fields["smtp_password"].annotation == SecretStr | None
    assert settings.smtp_password is None
