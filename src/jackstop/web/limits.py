"""Limits of how often: token buckets for calls, growing waits after failed logins. In memory, bounded, time as a value."""

from collections import OrderedDict
from dataclasses import dataclass

SECOND = 1_000_000


@dataclass(frozen=True, slots=True)
class Limits:
    """What is allowed.

    Attributes:
        calls, burst: calls a second of one token or session on average, and at once. interlock: calls a second of one
            interlock token. strange, strange_burst: the same of one address for callers not known.
        body: bytes of a request at most. listeners: event streams at once in all; of_one: of one caller.
        tries: failed logins before waits begin. longest: seconds the longest wait of an address; longest_user: of a user,
            kept short so that nobody can be shut out by a stranger.
    """

    calls: float = 50
    burst: float = 200
    interlock: float = 5000
    strange: float = 10
    strange_burst: float = 60
    body: int = 1 << 20
    listeners: int = 200
    of_one: int = 6
    tries: int = 5
    longest: int = 900
    longest_user: int = 60


class Buckets:
    """A token bucket for each key; the least used are forgotten above `most` keys."""

    def __init__(self, rate: float, burst: float, most: int = 10_000) -> None:
        self._rate, self._burst, self._most = rate, burst, most
        self._kept: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def take(self, key: str, now: int) -> float:
        """Take one; 0, or the seconds after which there is one again. `now` is µs."""
        level, since = self._kept.get(key, (self._burst, now))
        level = min(self._burst, level + self._rate * max(0, now - since) / SECOND)
        wait = 0.0 if level >= 1 else (1 - level) / self._rate
        self._kept[key] = (level if wait else level - 1, now)
        self._kept.move_to_end(key)
        if len(self._kept) > self._most:
            self._kept.popitem(last=False)
        return wait


class Backoff:
    """Waits that double with each failure after the first few; a success, or a day without failures, forgets them."""

    def __init__(self, tries: int, longest: int, most: int = 10_000) -> None:
        self._tries, self._longest, self._most = tries, longest, most
        self._kept: OrderedDict[str, tuple[int, int]] = OrderedDict()

    def wait(self, key: str, now: int) -> float:
        """Seconds until this key may try again; 0 for now."""
        failed, last = self._kept.get(key, (0, now))
        if failed < self._tries:
            return 0.0
        until = last + min(self._longest, 1 << min(failed - self._tries, 20)) * SECOND
        return max(0.0, (until - now) / SECOND)

    def fail(self, key: str, now: int) -> None:
        """Note a failure."""
        failed, last = self._kept.get(key, (0, now))
        self._kept[key] = (1 if now - last > 24 * 3600 * SECOND else failed + 1, now)
        self._kept.move_to_end(key)
        if len(self._kept) > self._most:
            self._kept.popitem(last=False)

    def succeed(self, key: str) -> None:
        """Forget a key's failures."""
        self._kept.pop(key, None)
