"""Routes of identity: signing in, keys for programs, second factors."""
