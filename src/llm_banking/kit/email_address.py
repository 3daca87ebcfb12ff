"""The one form of e-mail addresses in `users`."""

from __future__ import annotations

MAX_CHARACTERS = 254
PATTERN = r"^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?\.[A-Za-z0-9-]{2,63}$"
"""An address in ASCII; other scripts in a domain come in their xn-- form. Look-alikes cannot differ from one another in
letters that nobody can tell apart. It is kept in lower case."""
