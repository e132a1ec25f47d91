#!/usr/bin/env python3
"""Restore a backup into an empty schema, the backup's own or another one."""

import sys

import _environment

if __name__ == "__main__":
    _environment.ensure()
    from exr_inspector.cli.restore import main

    sys.exit(main())
