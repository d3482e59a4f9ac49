"""Example producers: real work reported with the SDK; falls back to the SDK of this checkout if none is installed."""

import sys
from importlib.util import find_spec
from pathlib import Path

if find_spec("livewatch") is None:
    sys.path.append(str(Path(__file__).parent.parent / "sdk"))
