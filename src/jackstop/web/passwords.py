"""Passwords: argon2id, and what a password must be.

Source: OWASP Password Storage Cheat Sheet (argon2id, 19 MiB, t = 2, p = 1); NIST SP 800-63B-4, 3.1.1 (length counts, no
rules of composition).
"""

import secrets
from functools import cache
from itertools import pairwise
from threading import BoundedSemaphore

from argon2 import PasswordHasher, Type
from argon2.exceptions import Argon2Error, InvalidHashError

SHORTEST, LONGEST = 12, 256
_AT_ONCE = BoundedSemaphore(2)
"""Hashes computed at once: each takes 19 MiB and a core, and logins must not starve the rest."""
_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1, hash_len=32, salt_len=16, type=Type.ID)


def fault(password: str, name: str) -> str:
    """Why a password cannot be taken, as a key of the texts; empty where it can."""
    flat = password.casefold()
    if len(password) < SHORTEST:
        return "password_short"
    if len(password) > LONGEST:
        return "password_long"
    if (len(name) > 3 and name.casefold() in flat) or "jackstop" in flat or len(set(flat)) < 5 or _runs(flat):
        return "password_easy"
    return ""


def _runs(text: str) -> bool:
    """Whether most of a text just counts up, down or stands still: 123456…, aaaa…."""
    steps = [ord(b) - ord(a) for a, b in pairwise(text)]
    return sum(abs(s) <= 1 for s in steps) * 3 > len(steps) * 2


def hashed(password: str) -> str:
    """A password as it is kept."""
    with _AT_ONCE:
        return _HASHER.hash(password.encode("utf-8", "replace"))


def matches(kept: str | None, password: str) -> bool:
    """Whether it is the password; takes as long where there is none."""
    with _AT_ONCE:
        try:
            return _HASHER.verify(kept or _none(), password[: LONGEST * 2].encode("utf-8", "replace")) and kept is not None
        except (Argon2Error, InvalidHashError):
            return False


def stale(kept: str) -> bool:
    """Whether it was hashed with other settings than today's."""
    return _HASHER.check_needs_rehash(kept)


@cache
def _none() -> str:
    """A hash nobody knows the password of."""
    return _HASHER.hash(secrets.token_bytes(32))
