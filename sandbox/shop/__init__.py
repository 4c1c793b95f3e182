"""A small shop in production: a real process, a real repository, real deploys, and three ways to break it."""

from .catalogue import service, write
from .shop import Deployed, Shop
from .traffic import Traffic
from .work import Breakage

__all__ = ["Breakage", "Deployed", "Shop", "Traffic", "service", "write"]
