"""Memory of the process: has the C library return what is freed, and spares imports the search for garbage."""

import ctypes
import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

MMAP_THRESHOLD_BYTES = 512 * 1024
"""Size from which a block is mapped on its own, and unmapped when it is freed."""
MAX_ARENAS = 2
# malloc.h of glibc
M_MMAP_THRESHOLD = -3
M_ARENA_MAX = -8


def return_freed_memory() -> bool:
    """Keep glibc from holding on to freed memory; call it before threads start, returns whether it took effect.

    Compressing the pages' files allocates blocks of several MiB in threads. glibc raises its threshold after the first
    of them is freed, gives each thread a heap, and these keep their largest size: 40 MiB after the first pages. A
    setting of the environment takes precedence, and other C libraries have no such settings.
    """
    is_set = any(name.startswith("MALLOC_") or name == "GLIBC_TUNABLES" for name in os.environ)
    if is_set or sys.platform != "linux":
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return bool(mallopt and mallopt(M_MMAP_THRESHOLD, MMAP_THRESHOLD_BYTES) and mallopt(M_ARENA_MAX, MAX_ARENAS))


@contextmanager
def pause_collection() -> Iterator[None]:
    """Collect no garbage in the block, which imports modules; later collections leave out what exists at its end.

    What thousands of modules define stays: to search it again and again takes a quarter of the time of their import.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        if was_enabled:
            gc.enable()
