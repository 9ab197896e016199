"""Levels and keywords of Windows events, as shippers write them: System/Level and System/Keywords of Microsoft's event schema.

Levels: winmeta.xml of the Windows SDK (0 always, 1 critical … 5 verbose). Keywords: bit 53 is a successful audit, bit 52 a
failed one.
"""

from functools import lru_cache

SUCCESS = "0x8020000000000000"
FAILURE = "0x8010000000000000"
_LEVELS = {"critical": 1, "error": 2, "warning": 3, "information": 4, "info": 4, "verbose": 5, "debug": 5}
WORDS = {0: "information", 1: "critical", 2: "error", 3: "warning", 4: "information", 5: "verbose"}
"""A level in Winlogbeat's words."""
AUDITS = {"Audit Success": SUCCESS, "Audit Failure": FAILURE, "AUDIT_SUCCESS": SUCCESS, "AUDIT_FAILURE": FAILURE}
_BITS = ((1 << 53, "Audit Success"), (1 << 52, "Audit Failure"))


def level(word: str | None) -> int | None:
    """A level from its word, in any case; audits are written at level 0."""
    if word is None:
        return None
    return 0 if word in AUDITS else _LEVELS.get(word.lower())


@lru_cache(maxsize=1024)
def keywords(value: int | str | None) -> str | None:
    """Keywords as `0x8020000000000000`, from that text or from a number, signed or not; None where it is neither."""
    if isinstance(value, str):
        if value.startswith("0x"):
            return value.lower() if len(value) <= 18 and value.isalnum() and value.isascii() else None
        digits = value.removeprefix("-")
        if not (digits.isascii() and digits.isdigit() and len(digits) <= 20):
            return None
        value = int(value)
    return hex(value & (2**64 - 1)) if isinstance(value, int) and not isinstance(value, bool) else None


def audit(value: str | None) -> str | None:
    """`Audit Success` or `Audit Failure` where keywords tell of one."""
    bits = int(value, 16) if value else 0
    return next((word for bit, word in _BITS if bits & bit), None)


def small(value: object) -> int | None:
    """A number such as a level or a process, though it be written as text; None where it is none."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value if 0 <= value < 2**31 else None
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 10:
        return int(value)
    return None
