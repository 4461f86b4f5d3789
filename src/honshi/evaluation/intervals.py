"""How far a measured accuracy may be from the true one."""

from __future__ import annotations

import math
from statistics import NormalDist


def wilson(right: float, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """The Wilson score interval of a proportion.

    Unlike the textbook's p ± z·sqrt(p(1-p)/n) it keeps its promise near 0 and 1, where good
    classifiers live. Source: E. B. Wilson, "Probable inference, the law of succession, and
    statistical inference", 1927.

    Args:
        right: successes, from 0 to n; a mean of several counts where each trial was made several times.
        n: trials, at least 1.
        confidence: the part of such intervals that contain the true proportion.

    Returns:
        Lower and upper bound, within [0, 1].
    """
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    p = right / n
    centre = p + z * z / (2 * n)
    spread = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    # At the ends the bound is the proportion itself; rounding must not push it past.
    lower = 0.0 if right == 0 else (centre - spread) / scale
    upper = 1.0 if right == n else (centre + spread) / scale
    return lower, upper
