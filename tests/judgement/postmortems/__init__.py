"""Incidents written by hand from public post-mortems and from what clients and servers really say.

The drawn worlds share their words with whoever drew them; these do not. The real client asks the
local Sentry over HTTP, and triage decides as in production. Sources of the stories:
https://github.com/danluu/post-mortems and the reports named there.
"""
