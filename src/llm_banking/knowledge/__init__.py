"""The bank's answers as data: facts stated once, entries that refer to them by name."""
