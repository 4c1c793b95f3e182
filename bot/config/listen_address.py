"""HOST and PORT are tried before anything else starts: a fault is a sentence and no half start."""

import errno
import socket
from typing import Any

from bot.config.settings import Faults

NOT_HERE = frozenset({errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})


class CannotListen(Exception):
    """The address is right, and is not free now."""


def try_out(host: str, port: int) -> None:
    """Bind for a moment. Raises `Faults` for another machine's HOST, `CannotListen` if not free."""
    try:
        addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise _not_here(host) from error
    if not [address for family, *_, address in addresses if _bound(family, address, port)]:
        raise _not_here(host)


def _bound(family: int, address: Any, port: int) -> bool:
    """True if this address is this machine's. Not every address of a name has to be."""
    with socket.socket(family, socket.SOCK_STREAM) as trial:
        # As the server will: a port that was left a moment ago is free.
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            trial.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        try:
            trial.bind(address)
        except OSError as error:
            if error.errno in NOT_HERE:
                return False
            why = error.strerror or type(error).__name__
            raise CannotListen(
                f"port {port} cannot be listened on ({why}): set PORT to a free one"
            ) from error
    return True


def _not_here(host: str) -> Faults:
    return Faults([f"HOST {host} is no address of this machine: set 0.0.0.0 for all of them"])
