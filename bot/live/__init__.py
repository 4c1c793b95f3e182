"""Live messages: rendered from the newest state, edited in place."""
