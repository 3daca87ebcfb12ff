"""Sign-in with other providers: OpenID Connect Core 1.0, authorization code flow with PKCE (RFC 7636, RFC 9700)."""
