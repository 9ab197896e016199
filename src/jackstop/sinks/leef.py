r"""IBM Log Event Extended Format, version 2.0, for QRadar: one line an alert, without a syslog header.

`LEEF:2.0|jackstop|jackstop|0.1.0|dispense.unexplained|x09|cat=critical…`, attributes parted by tabs.

LEEF has no escapes: a `|` in the header and a tab or any other control character or line separator in a value become a space,
so no text of a log can end the line, a field or a value. Only the first `=` of an attribute parts key and value. `EventID` and
`cat` are never translated, as the standard asks. `sev` is 1 to 10; `devTime` is ms UTC, which needs no `devTimeFormat`.
Names that LEEF predefines are used where it has them; the rest are keys of our own. Values are cut to the lengths below and the
line ends before `LONGEST` bytes, what matters least being left out first: QRadar cuts a longer payload by itself, anywhere.

Source: IBM, "QRadar Log Event Extended Format (LEEF) guide", version 2: event components, predefined attributes, custom keys.
"""

import re

from jackstop import __version__
from jackstop.model import written
from jackstop.model.results import Alert
from jackstop.sinks import _sayings
from jackstop.sinks._sayings import Telling

SUFFIX = "leef"
LONGEST = 4000
"""Most bytes of a line: QRadar takes 4,096 of a payload by default, and the transport adds its header."""

_SEVERITY = {"info": 1, "low": 3, "medium": 5, "high": 8, "critical": 10}
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_LENGTHS = {"identHostName": 255, "resource": 255, "title": 255, "msg": 1023, "firstStep": 1023}
_STRING = 1023
_HEAD = 255
"""Most characters of a field of the header, and of a value without a length of its own."""


def line(alert: Alert, lang: str = "en", telling: Telling | None = None) -> str:
    """An alert as one line of LEEF."""
    led = _sayings.lead(alert, lang)
    fields = (_sayings.VENDOR, _sayings.PRODUCT, __version__, led.id)
    made = "LEEF:2.0|" + "|".join(head(f) for f in fields) + "|x09|"
    room = LONGEST - len(made.encode())
    parts = []
    for key, text in _attributes(alert, led, lang, telling):
        part = f"{key}={value(text[: _LENGTHS.get(key, _STRING)])}"
        cost = len(part.encode()) + 1
        if text and cost <= room:
            parts.append(part)
            room -= cost
    return made + "\t".join(parts)


def _attributes(alert: Alert, led: _sayings.Saying, lang: str, telling: Telling | None) -> list[tuple[str, str]]:
    """Keys and values, what matters most first."""
    first = next(iter(alert.terminals), "")
    return [
        ("cat", alert.severity),
        ("sev", str(_SEVERITY[alert.severity])),
        ("devTime", str(written.milliseconds(_sayings.told_at(alert, telling)))),
        ("alertId", alert.id),
        ("revision", str(telling.revision) if telling else ""),
        ("status", _sayings.status(telling)),
        ("identHostName", first),
        ("resource", first),
        ("title", led.title),
        ("unexplainedMinorUnits", str(alert.unexplained)),
        ("atRiskMinorUnits", str(alert.money_at_risk)),
        ("currency", alert.currency),
        ("firstEvent", str(written.milliseconds(alert.first_event))),
        ("msg", _sayings.message(alert, lang)),
        ("firstStep", led.first_step),
        ("detections", " ".join(alert.detections)),
        ("attack", " ".join(alert.attack)),
        ("visits", " ".join(alert.visits)),
        ("terminals", " ".join(alert.terminals)),
        ("verdicts", " ".join(alert.verdicts)),
        ("records", " ".join(f"{r.path}@{r.offset}+{r.length}:{r.sha256}" for r in alert.records)),
    ]


def head(text: str) -> str:
    """Text as a field of the header: on one line, without `|`."""
    return _CONTROL.sub(" ", written.whole(text)).replace("|", " ")[:_HEAD]


def value(text: str) -> str:
    """Text as a value: on one line, without the tab that ends it."""
    return _CONTROL.sub(" ", written.whole(text))
