"""`python -m exr_inspector` is the command `exr-inspector`."""

import sys

from exr_inspector.cli.command import main

sys.exit(main())
