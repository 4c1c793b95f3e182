"""Slack events: App Home, phrases, pins, people who join."""
