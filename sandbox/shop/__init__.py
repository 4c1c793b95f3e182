"""A small shop in production: a real process, a real repository, real deploys, and three ways to break it."""

from sandbox.shop.catalogue import service, write
from sandbox.shop.shop import Deployed, Shop
from sandbox.shop.traffic import Traffic
from sandbox.shop.work import Breakage

__all__ = ["Breakage", "Deployed", "Shop", "Traffic", "service", "write"]
