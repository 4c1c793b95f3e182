"""Sentry's API."""
