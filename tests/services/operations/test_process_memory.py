"""Memory of the process: what is freed goes back to the system, and imports wait for no collection."""

import gc
import subprocess
import sys
from pathlib import Path

import pytest

from services.operations.process_memory import pause_collection

ROOT = Path(__file__).parents[3]
SCRIPT = """
import psutil
from services.operations.process_memory import return_freed_memory
if {is_wanted}:
    print(return_freed_memory())
large = b"x" * (24 << 20)
del large  # glibc keeps blocks up to this size from now on
before = psutil.Process().memory_info().rss
blocks = [b"x" * (1 << 20) for _ in range(40)]
above = b"x" * 2000
del blocks
print((psutil.Process().memory_info().rss - before) >> 20)
"""


def left_behind(*, is_wanted: bool, **environment: str) -> list[str]:
    """Return what a process prints that frees 40 MiB: whether the setting took effect, and the MiB that stay."""
    command = [sys.executable, "-c", SCRIPT.format(is_wanted=is_wanted)]
    answer = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    return answer.stdout.split()


@pytest.mark.skipif(sys.platform != "linux", reason="glibc only")
def test_what_is_freed_goes_back_to_the_system() -> None:
    (without,) = left_behind(is_wanted=False)
    took_effect, left = left_behind(is_wanted=True)
    if took_effect == "False":
        pytest.skip("another C library than glibc")
    assert int(without) > 30
    assert int(left) < 5


def test_a_setting_of_the_environment_is_kept() -> None:
    assert left_behind(is_wanted=True, MALLOC_ARENA_MAX="4")[0] == "False"


@pytest.mark.parametrize("was_enabled", [True, False])
def test_no_garbage_is_collected_during_imports_and_afterwards_it_is_as_before(was_enabled: bool) -> None:
    before = gc.get_freeze_count()
    if not was_enabled:
        gc.disable()
    try:
        with pause_collection():
            assert not gc.isenabled()
        assert gc.get_freeze_count() > before
        with pytest.raises(ImportError, match="no such module"), pause_collection():
            raise ImportError("no such module")
        assert gc.isenabled() == was_enabled
    finally:
        gc.enable()
        gc.unfreeze()
