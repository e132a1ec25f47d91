#!/usr/bin/env python3
"""Try the function end to end: sample renders go in as events, and the rows that come out are compared with what was sent."""

import sys

import _environment

if __name__ == "__main__":
    _environment.ensure()
    from exr_inspector.cli.test_function import main

    sys.exit(main())
