"""The arguments of a command. Apart from `terminal`, because the function needs no parser and every import delays its start."""

from __future__ import annotations

import argparse
from typing import NoReturn

from exr_inspector.terminal import on_lines


class Parser(argparse.ArgumentParser):
    """A parser whose complaints, which repeat what was typed, are fit for a terminal."""

    def error(self, message: str) -> NoReturn:
        """See `argparse.ArgumentParser.error`."""
        super().error(on_lines(message))
