"""Slack's side of a handler: payloads, answers, text, retries."""
