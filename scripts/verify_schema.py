#!/usr/bin/env python3
"""Compare the stored tables with what a schema version says they are."""

import sys

import _environment

if __name__ == "__main__":
    _environment.ensure()
    from exr_inspector.cli.verify import main

    sys.exit(main())
