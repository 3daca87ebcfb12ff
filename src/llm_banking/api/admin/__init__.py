"""What the bank's administrators do over HTTP."""
