"""Intervals of shares and rates: how far the true value may lie from what was counted.

Wilson's score interval for shares, the exact (Garwood) interval for Poisson counts. Quantiles of the chi-squared distribution
are found by bisection of the Poisson sum itself, so no table and no library is needed.

Source: E. B. Wilson, JASA 22 (1927); F. Garwood, Biometrika 28 (1936).
"""

import math
from statistics import NormalDist

_ROUNDS = 200


def wilson(part: int, whole: int, confidence: float = 0.95) -> tuple[float, float]:
    """The interval of a share `part / whole`; from 0 to 1 where there is no whole.

    Raises:
        ValueError: the part is not between 0 and the whole.
    """
    if not 0 <= part <= whole:
        raise ValueError(f"{part} of {whole}, expected a part of a whole")
    if not whole:
        return 0.0, 1.0
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    share, spread = part / whole, z * z / whole
    middle = share + spread / 2
    reach = z * math.sqrt(share * (1 - share) / whole + spread / (4 * whole))
    low, high = (middle - reach) / (1 + spread), (middle + reach) / (1 + spread)
    return (0.0 if part == 0 else max(low, 0.0)), (1.0 if part == whole else min(high, 1.0))


def poisson(count: int, confidence: float = 0.95) -> tuple[float, float]:
    """The exact interval of the mean of a Poisson count. For a rate divide both by the time looked at.

    Raises:
        ValueError: the count is negative.
    """
    if count < 0:
        raise ValueError(f"{count} events, expected none or more")
    tail = (1 - confidence) / 2
    low = 0.0 if count == 0 else _mean_with(count - 1, 1 - tail)
    return low, _mean_with(count, tail)


def _mean_with(count: int, share: float) -> float:
    """The mean at which a Poisson count is at most `count` with the probability `share`."""
    below, above = 0.0, count + 20 * math.sqrt(count + 1) + 50
    for _ in range(_ROUNDS):
        middle = (below + above) / 2
        if below in (middle,) or above in (middle,):
            break
        below, above = (middle, above) if at_most(count, middle) > share else (below, middle)
    return (below + above) / 2


def at_most(count: int, mean: float) -> float:
    """The probability that a Poisson count with this mean is at most `count`.

    Summed from the largest term outward, in parts of it, so that nothing underflows where it matters.
    """
    if mean <= 0:
        return 1.0
    if mean > count:
        return min(_sum_down(count, mean), 1.0)
    return 1.0 - min(_sum_up(count + 1, mean), 1.0)


def _term(k: int, mean: float) -> float:
    return math.exp(k * math.log(mean) - mean - math.lgamma(k + 1))


def _sum_down(k: int, mean: float) -> float:
    """Terms from k down to 0; each is smaller than the one before."""
    term = total = _term(k, mean)
    while k > 0 and term > total * 1e-17:
        term *= k / mean
        k -= 1
        total += term
    return total


def _sum_up(k: int, mean: float) -> float:
    """Terms from k upward; each is smaller than the one before."""
    term = total = _term(k, mean)
    while term > total * 1e-17:
        k += 1
        term *= mean / k
        total += term
    return total
