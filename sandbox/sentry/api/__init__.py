"""The local Sentry on the wire: envelopes in, the API out."""
