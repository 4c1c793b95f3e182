"""Protocols by which the phases ask the outside, and the values that answer."""
