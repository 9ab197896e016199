"""OCSF Detection Finding (class 2004) of OCSF 1.6.0, one JSON object a line.

An alert is a finding just made (activity Create, status New). Each finding of ours is one entry of `evidences` with the
records that prove it, as many as `MOST`; past that `metadata.is_truncated` is set. Money and visits, for which OCSF has no
attribute, stand in `unmapped`, money in minor units. Times are ms UTC; `time` is when the alert was raised.
Live, a revision that follows one the receiver was told is activity Update, its `time` when the alert changed; `metadata.uid` is
the revision's idempotency key, `metadata.correlation_uid` and `finding_info.uid` the alert.

Source: OCSF schema 1.6.0: classes base_event, finding, detection_finding; objects finding_info, metadata, attack, evidences,
resource_details, observable, device, remediation, analytic.
"""

from jackstop import __version__
from jackstop.model import written
from jackstop.model.results import Alert, Finding
from jackstop.sinks import _sayings
from jackstop.sinks._sayings import Telling, key

SUFFIX = "ocsf.jsonl"
VERSION = "1.6.0"
MOST = 200
"""Findings of one alert that become evidences."""

_SEVERITY = {
    "info": (1, "Informational"),
    "low": (2, "Low"),
    "medium": (3, "Medium"),
    "high": (4, "High"),
    "critical": (5, "Critical"),
}
_FINDINGS, _DETECTION_FINDING, _NEW = 2, 2004, 1
_CREATE, _UPDATE = (1, "Create"), (2, "Update")
_RULE, _OTHER, _AFFECTED, _RESOURCE_UID = 1, 99, 3, 10


def line(alert: Alert, lang: str = "en", telling: Telling | None = None) -> str:
    """An alert as one Detection Finding."""
    number, caption = _SEVERITY[alert.severity]
    activity, name = _UPDATE if telling is not None and telling.updated else _CREATE
    most = MOST if telling is None else min(MOST, telling.most)
    event: dict[str, object] = {
        "activity_id": activity,
        "activity_name": name,
        "category_uid": _FINDINGS,
        "category_name": "Findings",
        "class_uid": _DETECTION_FINDING,
        "class_name": "Detection Finding",
        "type_uid": _DETECTION_FINDING * 100 + activity,
        "type_name": f"Detection Finding: {name}",
        "severity_id": number,
        "severity": caption,
        "status_id": _NEW,
        "status": "New",
        "is_alert": True,
        "time": written.milliseconds(_sayings.told_at(alert, telling)),
        "start_time": written.milliseconds(alert.first_event),
        "end_time": written.milliseconds(alert.updated_at),
        "message": _sayings.message(alert, lang),
        "metadata": _metadata(alert, lang, telling, most),
        "finding_info": _finding_info(alert, lang, most),
        "resources": [{"uid": t, "type": "ATM", "role_id": _AFFECTED, "role": "Affected"} for t in alert.terminals],
        "evidences": [_evidence(f, most) for f in alert.findings[:most]],
        "observables": [_observable(i, t) for i, t in enumerate(alert.terminals)],
        "unmapped": _unmapped(alert) if telling is None else _live(alert, telling),
    }
    if alert.terminals:
        event["device"] = _device(alert.terminals[0])
    if step := _sayings.lead(alert, lang).first_step:
        event["remediation"] = {"desc": step}
    return written.json(event)


def _metadata(alert: Alert, lang: str, telling: Telling | None, most: int) -> dict[str, object]:
    product = {"name": _sayings.PRODUCT, "vendor_name": _sayings.VENDOR, "version": __version__, "lang": lang}
    cut = max(len(alert.findings), *(len(f.records) for f in alert.findings), 0) > most
    if telling is None:
        return {"version": VERSION, "uid": alert.id, "is_truncated": cut, "product": product}
    named = {"uid": key(alert.id, telling.revision), "correlation_uid": alert.id}
    return {"version": VERSION, **named, "is_truncated": cut, "product": product}


def _finding_info(alert: Alert, lang: str, most: int) -> dict[str, object]:
    led = _sayings.lead(alert, lang)
    others = [_sayings.of(n, lang) for n in alert.detections if n != led.id]
    info: dict[str, object] = {
        "uid": alert.id,
        "title": led.title,
        "types": ["ATM jackpotting"],
        "analytic": _analytic(led),
        "related_analytics": [_analytic(s) for s in others],
        "attacks": [_attack(t) for t in alert.attack],
        "created_time": written.milliseconds(alert.raised_at),
        "modified_time": written.milliseconds(alert.updated_at),
        "first_seen_time": written.milliseconds(alert.first_event),
        "last_seen_time": written.milliseconds(max((f.time for f in alert.findings), default=alert.first_event)),
        "data_sources": list(dict.fromkeys(r.path for r in alert.records))[:most],
    }
    return info | ({"desc": led.why} if led.why else {})


def _analytic(said: _sayings.Saying) -> dict[str, object]:
    return {"uid": said.id, "name": said.title, "type_id": _RULE, "type": "Rule"}


def _attack(technique: str) -> dict[str, object]:
    made: dict[str, object] = {"technique": {"uid": _sayings.parent(technique)}}
    return made | ({"sub_technique": {"uid": technique}} if "." in technique else {})


def _device(terminal: str) -> dict[str, object]:
    return {"uid": terminal, "type_id": _OTHER, "type": "ATM"}


def _evidence(finding: Finding, most: int) -> dict[str, object]:
    """One finding: the machine, what was claimed, and the records that prove it."""
    return {
        "uid": finding.id,
        "name": finding.detection,
        "device": _device(finding.terminal),
        "data": {
            "severity": finding.severity,
            "time": written.milliseconds(finding.time),
            "decided_at": written.milliseconds(finding.decided_at),
            "amount": finding.amount,
            "currency": finding.currency,
            "detail": dict(finding.detail),
            "records": [
                {"path": r.path, "offset": r.offset, "length": r.length, "sha256": r.sha256} for r in finding.records[:most]
            ],
        },
    }


def _observable(position: int, terminal: str) -> dict[str, object]:
    return {"name": f"resources[{position}].uid", "type_id": _RESOURCE_UID, "type": "Resource UID", "value": terminal}


def _live(alert: Alert, telling: Telling) -> dict[str, object]:
    """What is told of an alert that may change: its revision, and the findings that records which came late have explained."""
    lists = {"visits": alert.visits, "verdicts": alert.verdicts, "withdrawn": alert.withdrawn}
    return _unmapped(alert) | {k: v[: telling.most] for k, v in lists.items()} | {"revision": telling.revision}


def _unmapped(alert: Alert) -> dict[str, object]:
    return {
        "unexplained": alert.unexplained,
        "money_at_risk": alert.money_at_risk,
        "currency": alert.currency,
        "visits": alert.visits,
        "verdicts": alert.verdicts,
    }
