"""Letters by e-mail: through an SMTP server (RFC 5321), or into a folder on a machine of one's own.

What a letter says is for whoever it is sent to: it is never logged.
"""

from __future__ import annotations

import asyncio
import smtplib
import ssl
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, make_msgid
from pathlib import Path
from typing import Literal, Protocol
from uuid import uuid4

from llm_banking.kit.clock import utc_now

SMTP_TIMEOUT_S = 4.0
"""Of each step; shorter than news may take to be handed over (`kit.delivery`)."""

Tls = Literal["starttls", "tls", "none"]


@dataclass(frozen=True, slots=True)
class Letter:
    """A text for one address. Shows neither."""

    to: str = field(repr=False)
    subject: str
    text: str = field(repr=False)

    def message(self, sender: str) -> EmailMessage:
        """As it is sent (RFC 5322), marked as written by a machine (RFC 3834).

        Raises ValueError on a line break in a header.
        """
        found = EmailMessage(policy=SMTP)
        found["From"], found["To"], found["Subject"] = sender, self.to, self.subject
        found["Date"] = format_datetime(utc_now())
        found["Message-ID"] = make_msgid(domain=sender.rpartition("@")[2])
        found["Auto-Submitted"] = "auto-generated"
        found.set_content(self.text)
        return found


class Mail(Protocol):
    """Where letters go."""

    async def send(self, letter: Letter) -> None:
        """Hand a letter over, or raise: it was not sent then, or nobody knows."""


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """A server that takes letters. `tls` none is for this machine alone; a certificate is always checked."""

    host: str
    port: int
    tls: Tls
    sender: str
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_file: Path | None = None


class SmtpMail:
    """Letters through an SMTP server, each in a connection of its own."""

    def __init__(self, server: SmtpServer) -> None:
        self._server = server

    async def send(self, letter: Letter) -> None:
        """Hand it to the server. Raises OSError and SMTPException where the server does not take it."""
        await asyncio.to_thread(self._send, letter.message(self._server.sender))

    def _send(self, message: EmailMessage) -> None:
        server = self._server
        with self._connection() as connection:
            if server.tls == "starttls":
                connection.starttls(context=self._context())
            if server.username is not None and server.password is not None:
                connection.login(server.username, server.password)
            connection.send_message(message)

    def _connection(self) -> smtplib.SMTP:
        server = self._server
        if server.tls == "tls":
            return smtplib.SMTP_SSL(server.host, server.port, timeout=SMTP_TIMEOUT_S, context=self._context())
        return smtplib.SMTP(server.host, server.port, timeout=SMTP_TIMEOUT_S)

    def _context(self) -> ssl.SSLContext:
        found = ssl.create_default_context(cafile=self._server.ca_file)
        found.minimum_version = ssl.TLSVersion.TLSv1_2
        return found


class FolderMail:
    """Letters as files in a folder that its owner alone can read, for a machine without a mail server."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def send(self, letter: Letter) -> None:
        """Write it as one `.eml` file, named by its time. Raises OSError."""
        content = letter.message("bank@localhost").as_bytes()
        await asyncio.to_thread(self._write, content)

    def _write(self, content: bytes) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = self._folder / f"{utc_now():%Y%m%dT%H%M%S}-{uuid4().hex[:8]}.eml"
        file.touch(mode=0o600, exist_ok=False)
        file.write_bytes(content)
