"""The base of all HTTP clients."""
