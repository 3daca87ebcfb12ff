"""Accounts and what happened on them. It knows nothing of language or of models."""
