"""Tests of the package, whose processes keep the bytecode of what they import."""

import os
import sys

# Where PYTHONDONTWRITEBYTECODE is set, as in many images, each worker and each process that a test starts would
# compile all sources again: a second of computing for every app, and six for every worker.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
