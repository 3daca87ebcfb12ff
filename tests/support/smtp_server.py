"""An SMTP server of a few lines, that a test starts: it takes letters and keeps them."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from llm_banking.kit.clock import utc_now


@dataclass
class Inbox:
    """What a server was given. `refuses` turns letters down; `secured` counts those that came encrypted."""

    port: int = 0
    letters: list[EmailMessage] = field(default_factory=list)
    logins: list[str] = field(default_factory=list)
    secured: int = 0
    refuses: bool = False

    def to(self, address: str) -> list[EmailMessage]:
        return [one for one in self.letters if one["To"] == address]


@asynccontextmanager
async def smtp_server(tls: ssl.SSLContext | None = None, *, from_the_first_byte: bool = False) -> AsyncIterator[Inbox]:
    """A server on loopback; with `tls` it offers STARTTLS, or speaks TLS from the first byte."""
    inbox = Inbox()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await _talk(reader, writer, inbox, None if from_the_first_byte else tls, secured=from_the_first_byte)
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls if from_the_first_byte else None)
    inbox.port = server.sockets[0].getsockname()[1]
    async with server:
        yield inbox


async def _talk(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    inbox: Inbox,
    tls: ssl.SSLContext | None,
    *,
    secured: bool,
) -> None:
    writer.write(b"220 ready\r\n")
    while line := await reader.readline():
        word = line.split()[0].upper() if line.split() else b""
        if word == b"EHLO":
            writer.write(b"250-here\r\n" + (b"250-STARTTLS\r\n" if tls else b"") + b"250 AUTH PLAIN\r\n")
        elif word == b"STARTTLS" and tls is not None:
            writer.write(b"220 go on\r\n")
            await writer.start_tls(tls)
            secured = True
        elif word == b"AUTH":
            inbox.logins.append(line.decode().split()[-1])
            writer.write(b"235 come in\r\n")
        elif word == b"DATA":
            writer.write(b"354 go on\r\n")
            content = (await reader.readuntil(b"\r\n.\r\n"))[:-3]
            inbox.letters.append(message_from_bytes(content, policy=default))
            inbox.secured += secured
            writer.write(b"250 taken\r\n")
        elif word == b"MAIL" and inbox.refuses:
            writer.write(b"451 not now\r\n")
        elif word == b"QUIT":
            writer.write(b"221 bye\r\n")
            return
        else:
            writer.write(b"250 ok\r\n")


def certificate(folder: Path, host: str = "127.0.0.1") -> tuple[ssl.SSLContext, Path]:
    """A server's context with a certificate of its own, and the file by which a client trusts it."""
    key, now = ec.generate_private_key(ec.SECP256R1()), utc_now()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(host))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    public, private = folder / "server.pem", folder / "server.key"
    public.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(public, private)
    return context, public
