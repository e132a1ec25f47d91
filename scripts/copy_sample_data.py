#!/usr/bin/env python3
"""Copy some files with all their versions and all their rows in other tables into another schema, to try things on."""

import sys

import _environment

if __name__ == "__main__":
    _environment.ensure()
    from exr_inspector.cli.copy import main

    sys.exit(main())
