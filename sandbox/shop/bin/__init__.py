"""Programs that run as processes of their own; they need the standard library only."""
