"""Looking for garbage less often: decoding makes millions of small values that all live on for a while.

Python looks through its young values for unreachable cycles after every 700 new ones; while rows are gathered nearly all of them
are reachable. Where pieces are large the looking took a quarter of the time of decoding, over a whole investigation a twentieth.
"""

import gc

YOUNG, MIDDLE, OLD = 50_000, 20, 50
"""New values after which the young ones are looked through, and how often that is done before the older ones are."""


def seldom() -> None:
    """Look for garbage after every 50,000 new values of this process from now on."""
    gc.set_threshold(YOUNG, MIDDLE, OLD)
