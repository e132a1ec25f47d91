#!/usr/bin/env python3
"""Take back what migrate_v1_0_to_v1_1.py added. The columns and rows of schema 1.0.0 are not touched."""

import sys

import _environment

if __name__ == "__main__":
    _environment.ensure()
    from exr_inspector.cli.rollback import main

    sys.exit(main())
