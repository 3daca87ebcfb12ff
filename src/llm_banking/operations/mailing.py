"""How this server sends letters, by its settings."""

from __future__ import annotations

from llm_banking.kit.mail import FolderMail, Mail, SmtpMail, SmtpServer
from llm_banking.settings import Settings

FOLDER = "outgoing"


def mail_of(settings: Settings) -> Mail | None:
    """Through the server that the settings name; with none, into a folder of the home in development and test.

    None elsewhere: what needs a letter is refused then.
    """
    if settings.smtp_host is not None and settings.smtp_from is not None:
        password = settings.smtp_password
        return SmtpMail(
            SmtpServer(
                settings.smtp_host,
                settings.smtp_port,
                settings.smtp_tls,
                settings.smtp_from,
                settings.smtp_username,
                None if password is None else password.get_secret_value(),
                settings.smtp_ca_file,
            )
        )
    return FolderMail(settings.home / FOLDER) if settings.loopback_http else None
