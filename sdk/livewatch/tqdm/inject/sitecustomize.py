"""Reports the bars of a Python program that `livewatch run --tqdm` starts, as soon as it imports tqdm.

Python imports this module at its start, since its folder comes first in PYTHONPATH; it then steps aside.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.abc
import importlib.util
import os
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType

FOLDER = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(FOLDER)))


class PatchingFinder(importlib.abc.MetaPathFinder):
    """Finds `tqdm.std` once, as the finders after it do, and has it patched when it is loaded."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the spec of `tqdm.std`; None for all others."""
        if fullname != "tqdm.std":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        if spec is not None and spec.loader is not None:
            spec.loader = PatchingLoader(spec.loader)
        return spec


class PatchingLoader(importlib.abc.Loader):
    """Loads a module as another loader does, then patches tqdm."""

    def __init__(self, loader: importlib.abc.Loader) -> None:
        self._loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """Create the module as the other loader does."""
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        """Load and patch; the program runs also if it cannot be patched."""
        self._loader.exec_module(module)
        with contextlib.suppress(Exception):
            if importlib.util.find_spec("livewatch") is None:
                sys.path.append(ROOT)
            importlib.import_module("livewatch.tqdm.patching").patch()


def import_hidden() -> None:
    """Import the sitecustomize that this one hides, if there is one."""
    sys.path[:] = [each for each in sys.path if os.path.abspath(each or ".") != FOLDER]
    sys.modules.pop("sitecustomize", None)
    with contextlib.suppress(ModuleNotFoundError):
        importlib.import_module("sitecustomize")


sys.meta_path.insert(0, PatchingFinder())
import_hidden()
