"""A VAST DataBase endpoint on a laptop, for development and tests. It is not VAST."""

from .server import LocalVast

__all__ = ["LocalVast"]
