"""One file a verb: its command, its click and its form."""
