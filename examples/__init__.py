"""Example programs that report real work with the SDK; without an installed one they use that of this repository."""

import sys
from importlib.util import find_spec
from pathlib import Path

if find_spec("livewatch") is None:
    sys.path.append(str(Path(__file__).parent.parent / "sdk"))
