"""The extension block `x-jackstop` of a rule, as far as this room acts on it: `absence` and `schedule`.

x-jackstop:
  absence: {trigger: cash_dispensed, before: 2m, after: 1m, suspect: 10s, when_source_silent: suspend}
  schedule: {site: closed}
"""

import re
from collections.abc import Mapping
from typing import Any

from jackstop.rules.fault import Unsupported
from jackstop.rules.rule import MICRO, Absence, Named

KEY = "x-jackstop"
_SPAN = re.compile(r"(\d{1,9})(s|m|h|d)")
_UNIT = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_ABSENCE = {"trigger", "before", "after", "suspect", "when_source_silent", "silent_after"}
_WANTED = "trigger, before, after and, if wanted, suspect, when_source_silent, silent_after"


def block(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """The extension block of a document; empty where there is none.

    Raises:
        Unsupported: it is no mapping.
    """
    said = body.get(KEY, {})
    if not isinstance(said, dict):
        raise Unsupported("unsupported", f"{KEY} is no mapping", "keys and values")
    return said


def schedule(said: Mapping[str, Any]) -> str | None:
    """`closed` or `open` where the rule holds only while the site is so.

    Raises:
        Unsupported: it says anything else.
    """
    if "schedule" not in said:
        return None
    found = said["schedule"]
    if not isinstance(found, dict) or set(found) != {"site"} or found["site"] not in {"closed", "open"}:
        raise Unsupported("unsupported", f"schedule {found!r}", "{site: closed} or {site: open}")
    return str(found["site"])


def absence(said: Mapping[str, Any], condition: Named | None, ordered: bool, timespan: int) -> Absence | None:
    """The window of a condition with `not`.

    Raises:
        Unsupported: `not` without a window, a window without `not`, or a condition that is not `trigger and not other`.
    """
    negated = condition is not None and _negates(condition)
    found = said.get("absence")
    if not negated:
        if found is not None:
            raise Unsupported("absence", "absence without `not` in the condition", "a condition such as: a and not b")
        return None
    if found is None:
        raise Unsupported(
            "absence",
            "`not` in a correlation has no settled meaning (look back, look ahead, or both; for how long; until when to wait)",
            f"{KEY}: absence: {{trigger, before, after}} that states the window",
        )
    if ordered:
        raise Unsupported("absence", "`not` in temporal_ordered", "temporal, whose window has two sides")
    return _window(found, condition, timespan)


def _window(found: Any, condition: Named | None, timespan: int) -> Absence:  # noqa: ANN401 - checked here
    if not isinstance(found, dict) or not {"trigger", "before", "after"} <= set(found) <= _ABSENCE:
        raise Unsupported("absence", f"absence {found!r}", _WANTED)
    present, missing = _sides(condition)
    if present != [found["trigger"]]:
        raise Unsupported(
            "absence", f"condition has {' and '.join(present) or 'nothing'} beside `not`", f"{found['trigger']} alone"
        )
    before, after = span(found["before"], "before"), span(found["after"], "after")
    if before + after > timespan:
        raise Unsupported("absence", "before and after together are longer than the timespan", "a timespan that holds them")
    silent = found.get("when_source_silent", "suspend")
    if silent not in {"suspend", "speak"}:
        raise Unsupported("absence", f"when_source_silent {silent!r}", "suspend or speak")
    suspect = span(found["suspect"], "suspect") if "suspect" in found else None
    gap = span(found["silent_after"], "silent_after") if "silent_after" in found else None
    return Absence(present[0], tuple(missing), before, after, suspect, silent == "suspend", gap)


def span(text: object, name: str) -> int:
    """A duration in µs: a number and s, m, h or d.

    Raises:
        Unsupported: it is none.
    """
    found = _SPAN.fullmatch(str(text))
    if found is None:
        raise Unsupported("absence", f"{name} {text!r}", "a number and s, m, h or d, such as 90s")
    return int(found[1]) * _UNIT[found[2]] * MICRO


def _negates(said: Named) -> bool:
    return said.op == "not" or any(_negates(a) for a in said.args)


def _sides(said: Named | None) -> tuple[list[str], list[str]]:
    """The rules a condition wants present, and those it wants absent."""
    parts = () if said is None else said.args if said.op == "and" else (said,)
    present, missing = [], []
    for part in parts:
        if part.op == "rule":
            present.append(part.rule)
        elif part.op == "not" and part.args[0].op == "rule":
            missing.append(part.args[0].rule)
        elif part.op == "not" and part.args[0].op == "or" and all(a.op == "rule" for a in part.args[0].args):
            missing += [a.rule for a in part.args[0].args]
        else:
            raise Unsupported("absence", "`not` inside a longer condition", "a and not b, or a and not b and not c")
    return present, missing
