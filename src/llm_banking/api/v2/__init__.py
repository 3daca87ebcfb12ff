"""The current interface, in the envelope."""
