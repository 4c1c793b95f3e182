"""The trusted certificates: the public authorities, and those of SSL_CERT_FILE and SSL_CERT_DIR.

By themselves httpx believes certifi's list *or* SSL_CERT_FILE, and aiohttp what OpenSSL
finds. A file with one's own authority would then take the public ones away from some clients and
not from others.
https://www.python-httpx.org/advanced/ssl/ and
https://docs.python.org/3/library/ssl.html#ssl.SSLContext.load_default_certs
"""

import os
import ssl
from functools import cache

import httpx

VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR")


def context() -> ssl.SSLContext:
    """Return the one context that every client shares."""
    return _context(*(os.environ.get(name) for name in VARIABLES))


@cache
def _context(file: str | None, folder: str | None) -> ssl.SSLContext:
    """OpenSSL reads the variables itself. As arguments they make a changed environment count."""
    del file, folder
    made = httpx.create_ssl_context(trust_env=False)
    made.load_default_certs()
    return made
