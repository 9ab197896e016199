"""Card data is masked before a row exists: primary account numbers, track data, PIN blocks.

PCI DSS 4.0 requirement 3.4 lets the first six (or eight) and last four digits show; we keep six and four.
"""

import re

DIGITS = re.compile(r"(?<![\d.])\d(?:[ -]?\d){12,18}(?!\d)")
_RUN = re.compile(r"(?<![\d.])\d(?:[ -]?\d){12,}")
_GROUP = re.compile(r"\d+")
TRACK = re.compile(r"[;%][A-Z]?\d{8,19}[=D^][^?\r\n\x1c]{0,120}\??")
SHORTEST = 10
"""Characters of the shortest text that could hold card data: a sentinel, eight digits and a separator."""
_VALUES = bytes(b - 48 if 48 <= b <= 57 else 0 for b in range(256))
_DOUBLED = bytes(n * 2 - 9 if n > 4 else n * 2 for n in range(10)) + bytes(246)


def luhn(digits: str) -> bool:
    """Whether a string of digits (of any script) passes the check of ISO/IEC 7812-1, annex B."""
    plain = digits if digits.isascii() else "".join([str(int(d)) for d in digits])
    values = plain.encode().translate(_VALUES)[::-1]
    return (sum(values[::2]) + sum(values[1::2].translate(_DOUBLED))) % 10 == 0


def pan(digits: str) -> str:
    """A card number with its middle hidden: `411111******1111`."""
    return digits[:6] + "*" * (len(digits) - 10) + digits[-4:]


def _hide(found: re.Match[str]) -> str:
    run = found.group()
    digits = run.replace(" ", "").replace("-", "")
    if len(digits) <= 19 and luhn(digits):
        return pan(digits)
    return _within(run) if len(digits) > 13 else run


def _within(run: str) -> str:
    """A run of digits in groups, with the card numbers among them masked: one group, or groups as cards are printed in."""
    groups = [(g.start(), g.end()) for g in _GROUP.finditer(run)]
    made, done, n = [], 0, 0
    while n < len(groups):
        for size in (1, 3, 4, 5):
            part = groups[n : n + size]
            if not _printed([end - start for start, end in part], size):
                continue
            digits = "".join([run[start:end] for start, end in part])
            if luhn(digits):
                made.append(run[done : part[0][0]] + pan(digits))
                done = part[-1][1]
                n += size - 1
                break
        n += 1
    return "".join(made) + run[done:]


def _printed(sizes: list[int], count: int) -> bool:
    """Whether groups of digits of these sizes are a card number's: all in one, 4-6-5, 4-4-4-4 and the like."""
    match count, sizes:
        case 1, [size]:
            return 13 <= size <= 19
        case 3, [4, 6, size]:
            return 3 <= size <= 9
        case (4, [4, 4, 4, size]) | (5, [4, 4, 4, 4, size]):
            return 1 <= size <= 7 and 12 + size + 4 * (count - 4) <= 19
    return False


def mask(text: str) -> str:
    """Text with track data removed and every card number (13–19 digits, Luhn) masked."""
    if len(text) < SHORTEST:
        return text
    return _RUN.sub(_hide, TRACK.sub(";[track]?", text))
