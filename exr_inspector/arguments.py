"""The arguments of a command. Apart from `terminal`, because the function needs no parser and every import delays its start."""

from __future__ import annotations

import argparse
import sys
from typing import NoReturn

from exr_inspector.terminal import fit_lines


class Parser(argparse.ArgumentParser):
    """A parser whose complaints, which repeat what was typed, are fit for a terminal."""

    def error(self, message: str) -> NoReturn:
        """See `argparse.ArgumentParser.error`."""
        self.print_usage(sys.stderr)
        self.exit(2, fit_lines(f"{self.prog}: error: {message}", sys.stderr) + "\n")
