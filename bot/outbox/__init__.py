"""The outbox: effects performed at least once, each with an end."""
