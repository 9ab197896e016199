r"""ArcSight Common Event Format, version 0: one line an alert, without a syslog header (the transport adds its own).

`CEF:0|jackstop|jackstop|0.1.0|dispense.unexplained|Cash left with no authorisation|10|externalId=… rt=… dhost=ATM-0001 …`

The header escapes `\` and `|`; the extension escapes `\` and `=` and writes line ends as `\n` and `\r`; every other control
character and line separator becomes a space, so no text of a log can end the line, a field or a value. Values are cut to the
lengths the standard gives. Live, `cn3` is the alert's revision and `flexString2` says `new` or `updated`. Times are ms UTC.
The standard's own severity words: 0–3 low, 4–6 medium, 7–8 high, 9–10 very high.

Source: "Implementing ArcSight Common Event Format (CEF)", version 25/26: header, character encoding, extension dictionary.
"""

import re

from jackstop import __version__
from jackstop.model import written
from jackstop.model.results import Alert
from jackstop.sinks import _sayings
from jackstop.sinks._sayings import Telling

SUFFIX = "cef"

_SEVERITY = {"info": 1, "low": 3, "medium": 5, "high": 8, "critical": 10}
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_CONTROL_BUT_BREAKS = re.compile("[\x00-\x09\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029]")
_LENGTHS = {
    "externalId": 40,
    "msg": 1023,
    "cat": 1023,
    "dhost": 1023,
    "deviceExternalId": 255,
    "reason": 1023,
    "flexString1": 1023,
    "flexString2": 1023,
}
_STRING = 4000
"""Most characters of a custom string (cs1 to cs6)."""


def line(alert: Alert, lang: str = "en", telling: Telling | None = None) -> str:
    """An alert as one line of CEF."""
    led = _sayings.lead(alert, lang)
    header = (_sayings.VENDOR, _sayings.PRODUCT, __version__, led.id, led.title, str(_SEVERITY[alert.severity]))
    values = " ".join(f"{key}={value(text[: _length(key)])}" for key, text in _extension(alert, led, lang, telling) if text)
    return "CEF:0|" + "|".join(head(part) for part in header) + "|" + values


def _length(key: str) -> int:
    return _LENGTHS.get(key, _STRING)


def _extension(alert: Alert, led: _sayings.Saying, lang: str, telling: Telling | None) -> list[tuple[str, str]]:
    """Keys of the CEF dictionary with the alert's values; a custom field stands beside the label that names it."""
    records = " ".join(f"{r.path}@{r.offset}+{r.length}:{r.sha256}" for r in alert.records)
    custom = (
        ("cs1", "detections", " ".join(alert.detections)),
        ("cs2", "attack", " ".join(alert.attack)),
        ("cs3", "currency", alert.currency),
        ("cs4", "visits", " ".join(alert.visits)),
        ("cs5", "records", records),
        ("cs6", "terminals", " ".join(alert.terminals)),
        ("cn1", "unexplainedMinorUnits", str(alert.unexplained)),
        ("cn2", "atRiskMinorUnits", str(alert.money_at_risk)),
        ("cn3", "revision", str(telling.revision) if telling else ""),
        ("flexString1", "verdicts", " ".join(alert.verdicts)),
        ("flexString2", "status", _sayings.status(telling)),
    )
    first = next(iter(alert.terminals), "")
    return [
        ("externalId", alert.id),
        ("rt", str(written.milliseconds(_sayings.told_at(alert, telling)))),
        ("start", str(written.milliseconds(alert.first_event))),
        ("end", str(written.milliseconds(alert.updated_at))),
        ("cat", led.id),
        ("cnt", str(len(alert.findings))),
        ("dhost", first),
        ("deviceExternalId", first),
        ("msg", _sayings.message(alert, lang)),
        ("reason", led.first_step),
        *((k, text) for key, label, told in custom if told for k, text in ((f"{key}Label", label), (key, told))),
    ]


def head(text: str) -> str:
    """Text as a field of the header: on one line, with `\\` and `|` escaped."""
    return _CONTROL.sub(" ", written.whole(text)).replace("\\", "\\\\").replace("|", "\\|")


def value(text: str) -> str:
    """Text as a value of the extension: on one line, with `\\`, `=` and line ends escaped."""
    plain = _CONTROL_BUT_BREAKS.sub(" ", written.whole(text)).replace("\\", "\\\\").replace("=", "\\=")
    return plain.replace("\n", "\\n").replace("\r", "\\r")
