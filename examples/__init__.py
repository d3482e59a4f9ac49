"""Producers that do real work and report it with the SDK: the one of this repository, where none is installed."""

import sys
from importlib.util import find_spec
from pathlib import Path

if find_spec("livewatch") is None:
    sys.path.append(str(Path(__file__).parent.parent / "sdk"))
