"""Patterns with `*` and `?` against one value, in time linear in the value (RE2 where something stands between texts)."""

from collections.abc import Callable

import re2

from jackstop.rules.tree import Pattern, Wild

Matcher = Callable[[str], bool]


def literal(pattern: Pattern) -> tuple[str, str] | None:
    """How a text is looked for, where a pattern is one text: (`exact`, `starts`, `ends` or `contains`, text)."""
    texts = [p for p in pattern if isinstance(p, str)]
    if not pattern:
        return "exact", ""
    if Wild.ONE in pattern or len(texts) != 1:
        return None
    before, after = pattern[0] is Wild.MANY, pattern[-1] is Wild.MANY
    return {(False, False): "exact", (False, True): "starts", (True, False): "ends", (True, True): "contains"}[
        before, after
    ], texts[0]


def longest(pattern: Pattern) -> str:
    """The longest text of a pattern: whatever matches has it."""
    return max((p for p in pattern if isinstance(p, str)), key=len, default="")


def matcher(pattern: Pattern, *, cased: bool) -> Matcher:
    """A function that says whether a whole value is the pattern."""
    parts = [re2.escape(p if cased else p.lower()) if isinstance(p, str) else ".*" if p is Wild.MANY else "." for p in pattern]
    options = re2.Options()
    options.dot_nl = True
    options.never_capture = True
    options.log_errors = False
    found = re2.compile("".join(parts), options)
    if cased:
        return lambda value: found.fullmatch(value) is not None
    return lambda value: found.fullmatch(value.lower()) is not None
