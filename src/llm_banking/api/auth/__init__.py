"""Registration, sign-in, sessions, second factors, and the keys of programs and of those who check our tokens."""
