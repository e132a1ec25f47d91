#!/usr/bin/env python3
"""Add what schema 1.1.0 has and 1.0.0 has not: nullable columns and two tables. The function may run meanwhile."""

import sys

import _environment

if __name__ == "__main__":
    _environment.ensure()
    from exr_inspector.cli.migrate import main

    sys.exit(main())
