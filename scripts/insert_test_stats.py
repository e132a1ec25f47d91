#!/usr/bin/env python3
"""Give files of a test schema pixel statistics and findings, so that what reads them can be tried without reading pixels."""

import sys

import _environment

if __name__ == "__main__":
    _environment.ensure()
    from exr_inspector.cli.insert_test_stats import main

    sys.exit(main())
