"""Quantiles of durations from their logarithmic bins.

The bins are those of DDSketch (Masson, Rim and Lee: "DDSketch: a fast and fully-mergeable quantile sketch with
relative-error guarantees", 2019), of which each is 8 % wide: a quantile is within 4 % of a recorded duration.
"""

from collections.abc import Mapping

GAMMA = 1.08
"""Ratio of the bounds of a bin; the same as in `private.duration_bin`."""
UNKNOWN_BIN = -1


def quantile(bins: Mapping[int, int], share: float) -> float | None:
    """Return the duration that a share of the runs did not exceed.

    Args:
        bins: Number of runs by bin; those with an unknown duration are left out.
        share: The share, 0 to 1.

    Returns:
        Milliseconds, None for no runs.
    """
    known = sorted((bin, count) for bin, count in bins.items() if bin != UNKNOWN_BIN and count > 0)
    total = sum(count for _, count in known)
    if not total:
        return None
    wanted, seen = max(1.0, share * total), 0
    for bin, count in known:
        seen += count
        if seen >= wanted - 1e-9:
            return middle_of(bin)
    return middle_of(known[-1][0])


def middle_of(bin: int) -> float:
    """Return the duration in milliseconds that is as far, by ratio, from both bounds of a bin."""
    return float(2 * GAMMA**bin / (GAMMA + 1))
