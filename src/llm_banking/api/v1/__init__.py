"""The legacy interface, kept in its own shapes."""
