"""Elastic Common Schema 9.0: an alert as one document a line (`event.kind: alert`).

`rule.*` is the detection the alert has its title from, `threat.*` the ATT&CK techniques of all its detections. What ECS has no
field for stands under `Jackstop`, a name ECS will never use (custom fields are to begin with a capital letter); money there is
in minor units. `event.severity` and `event.risk_score` follow the four levels Elastic Security uses (21, 47, 73, 99).

Live, `event.id` is the idempotency key of the alert's revision and `event.action` says `alert-updated` from the second on;
`Jackstop.alert` is the same for all revisions of an alert.

Source: ECS field reference 9.0 (base, event, rule, threat, host, related, log); ECS guidelines, "Custom fields".
"""

from jackstop import __version__
from jackstop.model import written
from jackstop.model.results import Alert, Finding, RecordRef
from jackstop.sinks import _sayings
from jackstop.sinks._sayings import Telling, key

SUFFIX = "ecs.jsonl"
VERSION = "9.0.0"
MOST = 200
"""Findings of one alert that are written out, and records; `Jackstop.truncated` says whether there were more."""

_SEVERITY = {"info": 1, "low": 21, "medium": 47, "high": 73, "critical": 99}


def line(alert: Alert, lang: str = "en", telling: Telling | None = None) -> str:
    """An alert as one ECS document."""
    most = MOST if telling is None else min(MOST, telling.most)
    led = _sayings.lead(alert, lang)
    return written.json(
        {
            "@timestamp": written.stamp(_sayings.told_at(alert, telling)),
            "ecs": {"version": VERSION},
            "message": _sayings.message(alert, lang),
            "tags": ["atm-jackpotting"],
            "event": _event(alert, telling),
            "observer": {"vendor": _sayings.VENDOR, "product": _sayings.PRODUCT, "version": __version__, "type": "reconciler"},
            "rule": {"id": led.id, "name": led.title, "description": led.why, "ruleset": _sayings.PRODUCT},
            "threat": _threat(alert),
            "host": {"id": alert.terminals[0], "name": alert.terminals[0], "type": "ATM"} if alert.terminals else {},
            "related": {"hosts": list(alert.terminals), "hash": list(dict.fromkeys(r.sha256 for r in alert.records[:most]))},
            "Jackstop": _own(alert, led.first_step, most) | _live(alert, telling),
        }
    )


def _event(alert: Alert, telling: Telling | None) -> dict[str, object]:
    score = _SEVERITY[alert.severity]
    return {
        "kind": "alert",
        "category": ["intrusion_detection"],
        "type": ["info"],
        "module": _sayings.PRODUCT,
        "dataset": f"{_sayings.PRODUCT}.alert",
        "provider": _sayings.PRODUCT,
        "id": alert.id if telling is None else key(alert.id, telling.revision),
        "action": "alert-updated" if telling is not None and telling.updated else "alert-raised",
        "severity": score,
        "risk_score": score,
        "created": written.stamp(alert.raised_at),
        "start": written.stamp(alert.first_event),
        "end": written.stamp(alert.updated_at),
    }


def _threat(alert: Alert) -> dict[str, object]:
    parents = list(dict.fromkeys(_sayings.parent(t) for t in alert.attack))
    made: dict[str, object] = {"framework": "MITRE ATT&CK", "technique": {"id": parents}}
    subs = [t for t in alert.attack if "." in t]
    return made if not subs else made | {"technique": {"id": parents, "subtechnique": {"id": subs}}}


def _live(alert: Alert, telling: Telling | None) -> dict[str, object]:
    if telling is None:
        return {}
    lists = {"visits": alert.visits, "verdicts": alert.verdicts, "withdrawn": alert.withdrawn}
    cut = {k: list(v[: telling.most]) for k, v in lists.items()}
    return cut | {"alert": alert.id, "revision": telling.revision, "status": _sayings.status(telling)}


def _own(alert: Alert, first_step: str, most: int) -> dict[str, object]:
    return {
        "severity": alert.severity,
        "detections": list(alert.detections),
        "terminals": list(alert.terminals),
        "first_step": first_step,
        "currency": alert.currency,
        "unexplained": alert.unexplained,
        "money_at_risk": alert.money_at_risk,
        "visits": list(alert.visits),
        "verdicts": list(alert.verdicts),
        "findings": [_finding(f) for f in alert.findings[:most]],
        "records": [_record(r) for r in alert.records[:most]],
        "truncated": len(alert.findings) > most or len(alert.records) > most,
    }


def _finding(finding: Finding) -> dict[str, object]:
    return {
        "id": finding.id,
        "detection": finding.detection,
        "terminal": finding.terminal,
        "severity": finding.severity,
        "time": written.stamp(finding.time),
        "decided_at": written.stamp(finding.decided_at),
        "amount": finding.amount,
        "detail": " ".join(value for _, value in finding.detail),
    }


def _record(record: RecordRef) -> dict[str, object]:
    return {"path": record.path, "offset": record.offset, "length": record.length, "sha256": record.sha256}
