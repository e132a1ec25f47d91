#!/usr/bin/env python3
"""Write every table of a schema to Parquet, with a manifest of counts and digests."""

import sys

import _environment

if __name__ == "__main__":
    _environment.ensure()
    from exr_inspector.cli.backup import main

    sys.exit(main())
