"""One customer turn: a reading becomes a command from a closed set, the command becomes a reply."""
