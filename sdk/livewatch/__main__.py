"""`python -m livewatch` is `livewatch`."""

import sys

from livewatch.command import main

sys.exit(main())
