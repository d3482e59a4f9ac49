"""Run the command line as `python -m livewatch`."""

import sys

from livewatch.cli.command import main

sys.exit(main())
