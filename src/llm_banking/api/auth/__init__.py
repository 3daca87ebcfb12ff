"""Registration, sign-in, sessions and the keys that others check our tokens with."""
