"""ECS: the fields by their names and kinds, and the values ECS allows."""

import json
from dataclasses import replace

from some_alerts import ALERT

from jackstop.model.results import SEVERITIES
from jackstop.sinks import Telling, ecs

FIELDS = {
    "@timestamp": "2026-03-01T02:01:19.120Z",
    "ecs.version": "9.0.0",
    "event.kind": "alert",
    "event.category": ["intrusion_detection"],
    "event.type": ["info"],
    "event.start": "2026-03-01T02:01:07.120Z",
    "event.end": "2026-03-01T02:01:19.120Z",
    "event.id": "0123456789abcdef",
    "event.severity": 99,
    "rule.id": "dispense.unexplained",
    "rule.name": "Cash left with no authorisation",
    "threat.framework": "MITRE ATT&CK",
    "threat.technique.id": ["T1106", "T1070"],
    "threat.technique.subtechnique.id": ["T1070.001"],
    "host.name": "ATM-0001",
    "related.hosts": ["ATM-0001"],
    "related.hash": ["cd" * 32, "ab" * 32],
    "Jackstop.unexplained": 80_000,
    "Jackstop.money_at_risk": 1_600_000,
    "Jackstop.currency": "USD",
    "Jackstop.truncated": False,
}
OF_ECS = {"@timestamp", "ecs", "message", "tags", "event", "observer", "rule", "threat", "host", "related"}


def document(**changed: object) -> dict[str, object]:
    """The alert, changed, as ECS has it."""
    return json.loads(ecs.line(replace(ALERT, **changed)))


def field(told: object, path: str) -> object:
    """A field by its dotted name."""
    for part in path.split("."):
        told = told[part]
    return told


def test_an_alert_has_these_fields():
    told = document()
    assert {path: field(told, path) for path in FIELDS} == FIELDS


def test_all_that_is_not_of_ecs_stands_under_one_name_with_a_capital():
    assert set(document()) - OF_ECS == {"Jackstop"}


def test_severity_rises_with_the_alert():
    shown = [document(severity=s)["event"]["severity"] for s in SEVERITIES]
    assert shown == sorted(set(shown))


def test_without_sub_techniques_there_is_no_such_field():
    assert document(attack=("T1106",))["threat"]["technique"] == {"id": ["T1106"]}


def test_too_many_records_are_cut_and_that_is_said():
    told = document(records=ALERT.records * 150)
    assert len(told["Jackstop"]["records"]) == ecs.MOST
    assert told["Jackstop"]["truncated"]


def test_live_the_event_is_the_revision_and_the_alert_stays_the_same():
    first, second = (json.loads(ecs.line(ALERT, "en", Telling(r, updated=r > 1))) for r in (1, 2))
    assert (first["event"]["id"], second["event"]["id"]) == (f"{ALERT.id}:1", f"{ALERT.id}:2")
    assert (first["event"]["action"], second["event"]["action"]) == ("alert-raised", "alert-updated")
    assert first["Jackstop"]["alert"] == second["Jackstop"]["alert"] == ALERT.id
    assert (second["Jackstop"]["revision"], second["Jackstop"]["status"]) == (2, "updated")
    assert set(second) - OF_ECS == {"Jackstop"}
