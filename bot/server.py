"""`firebreak serve`: check settings, then run front and back until a signal."""

import sys

from bot.back import back
from bot.config import catalogue as catalogues
from bot.config import settings as settings_module
from bot.config.catalogue import Catalogue
from bot.config.listen_address import CannotListen, try_out
from bot.config.settings import Faults, Settings
from bot.front import front
from bot.runtime import logs
from bot.runtime.halves import run_halves
from bot.wiring import Start


def serve() -> int:
    """Return the exit code: 0 after a signal, 1 when it cannot run, 2 when settings are wrong.

    Every fault of settings and catalogue is printed at once.
    """
    try:
        settings, catalogue = _read_settings()
        logs.set_up(settings.log_level)
        try_out(settings.host, settings.port)
    except CannotListen as error:
        print(f"Firebreak cannot start: {error}", file=sys.stderr)
        return 1
    except Faults as faults:
        print(f"Firebreak cannot start:\n{faults}", file=sys.stderr)
        return 2
    return run_halves(
        lambda line, up: front(settings, catalogue, line, up),
        lambda line, told: back(settings, catalogue, line, Start.from_line(told)),
    )


def _read_settings() -> tuple[Settings, Catalogue]:
    """Return settings and catalogue. Raises `Faults` with everything that is wrong in both."""
    try:
        settings = settings_module.load()
    except Faults as wrong:
        raise Faults(
            [*wrong.faults, *catalogues.faults(*settings_module.services_file())]
        ) from wrong
    return settings, catalogues.load(settings)
