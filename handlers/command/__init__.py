"""The `/incident` command: grammar and router."""
