#!/usr/bin/env python3
"""Look for rows that contradict each other, and mend what can be mended from what is stored."""

import sys

import _environment

if __name__ == "__main__":
    _environment.ensure()
    from exr_inspector.cli.check import main

    sys.exit(main())
