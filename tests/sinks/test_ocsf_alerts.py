"""OCSF Detection Finding: the attributes that OCSF 1.6.0 requires of the class and of the objects in it, and their kinds."""

import json
from dataclasses import replace

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from some_alerts import ALERT, hostile

from jackstop.model.results import SEVERITIES
from jackstop.sinks import Telling, ocsf

TEXT, COUNT, TIME = {"type": "string"}, {"type": "integer"}, {"type": "integer", "minimum": 0}


def thing(required: str = "", **properties: object) -> dict[str, object]:
    """An object with nothing but these attributes."""
    return {"type": "object", "properties": properties, "required": required.split(), "additionalProperties": False}


def many(item: object) -> dict[str, object]:
    """An array of these."""
    return {"type": "array", "items": item}


ANALYTIC = thing("type_id", uid=TEXT, name=TEXT, type_id={"enum": [0, 1, 2, 3, 4, 99]}, type=TEXT)
DEVICE = thing("type_id", uid=TEXT, type_id={"enum": [*range(16), 99]}, type=TEXT)
TECHNIQUE = thing("uid", uid={"pattern": r"^T\d{4}$"})
SUB = thing("uid", uid={"pattern": r"^T\d{4}\.\d{3}$"})
EVENT = thing(
    "activity_id category_uid class_uid finding_info metadata severity_id time type_uid",
    activity_id={"enum": [1, 2]}, activity_name={"enum": ["Create", "Update"]},
    category_uid={"const": 2}, category_name={"const": "Findings"},
    class_uid={"const": 2004}, class_name={"const": "Detection Finding"}, type_uid={"enum": [200401, 200402]}, type_name=TEXT,
    severity_id={"enum": [1, 2, 3, 4, 5]}, severity=TEXT, status_id={"const": 1}, status={"const": "New"},
    is_alert={"const": True}, time=TIME, start_time=TIME, end_time=TIME, message=TEXT,
    metadata=thing(
        "product version", version={"const": "1.6.0"}, uid=TEXT, correlation_uid=TEXT, is_truncated={"type": "boolean"},
        product=thing("name vendor_name version", name=TEXT, vendor_name=TEXT, version=TEXT, lang=TEXT),
    ),
    finding_info=thing(
        "uid title analytic", uid=TEXT, title=TEXT, desc=TEXT, types=many(TEXT), analytic=ANALYTIC,
        related_analytics=many(ANALYTIC),
        attacks=many(thing("technique", technique=TECHNIQUE, sub_technique=SUB)), created_time=TIME, modified_time=TIME,
        first_seen_time=TIME, last_seen_time=TIME, data_sources=many(TEXT),
    ),
    resources=many(thing("uid", uid=TEXT, type=TEXT, role_id={"const": 3}, role={"const": "Affected"})),
    device=DEVICE,
    evidences=many(thing("device", uid=TEXT, name=TEXT, device=DEVICE, data={"type": "object"})),
    observables=many(thing("type_id name value", name=TEXT, type_id={"const": 10}, type={"const": "Resource UID"}, value=TEXT)),
    remediation=thing("desc", desc=TEXT),
    unmapped={"type": "object"},
)  # fmt: skip


def event(**changed: object) -> dict[str, object]:
    """The alert, changed, as OCSF has it."""
    return json.loads(ocsf.line(replace(ALERT, **changed)))


def test_an_alert_has_all_that_the_class_requires_and_nothing_the_class_lacks():
    jsonschema.validate(event(), EVENT)
    jsonschema.validate(event(findings=(), detections=(), attack=(), records=()), EVENT)


@pytest.mark.parametrize(("number", "severity"), list(enumerate(SEVERITIES, 1)))
def test_severity_ids_are_those_of_ocsf(number, severity):
    assert event(severity=severity)["severity_id"] == number


def test_times_are_milliseconds_and_money_is_minor_units():
    told = event()
    assert (told["time"], told["start_time"]) == (1_772_330_479_120, 1_772_330_467_120)
    assert told["unmapped"] == {
        "unexplained": 80_000, "money_at_risk": 1_600_000, "currency": "USD", "visits": ["WO-1"], "verdicts": ["e1"]
    }  # fmt: skip


def test_a_sub_technique_stands_beside_its_technique():
    attacks = event()["finding_info"]["attacks"]
    assert attacks == [{"technique": {"uid": "T1106"}}, {"technique": {"uid": "T1070"}, "sub_technique": {"uid": "T1070.001"}}]


def test_every_finding_is_evidence_with_the_records_that_prove_it():
    door, cash = event()["evidences"]
    assert door["name"] == "cabinet.opened-unannounced"
    assert cash["data"]["records"] == [
        {"path": "logs/ATM-0001/20260301.nwlog", "offset": 1234, "length": 210, "sha256": "ab" * 32}
    ]
    assert event()["finding_info"]["analytic"]["uid"] == "dispense.unexplained"


def test_too_many_findings_are_cut_and_that_is_said():
    told = event(findings=ALERT.findings * 150)
    assert len(told["evidences"]) == ocsf.MOST
    assert told["metadata"]["is_truncated"]
    assert not event()["metadata"]["is_truncated"]


def test_a_first_telling_is_create_and_a_later_one_update_of_the_same_finding():
    later = replace(ALERT, updated_at=ALERT.updated_at + 5_000_000)
    first, second = (json.loads(ocsf.line(a, "en", Telling(r, updated=r > 1))) for a, r in ((ALERT, 1), (later, 2)))
    for told in (first, second):
        jsonschema.validate(told, EVENT)
    assert (first["activity_id"], first["type_uid"], first["type_name"]) == (1, 200401, "Detection Finding: Create")
    assert (second["activity_id"], second["type_uid"], second["type_name"]) == (2, 200402, "Detection Finding: Update")
    assert first["finding_info"]["uid"] == second["finding_info"]["uid"] == second["metadata"]["correlation_uid"] == ALERT.id
    assert (first["metadata"]["uid"], second["metadata"]["uid"]) == (f"{ALERT.id}:1", f"{ALERT.id}:2")
    assert second["time"] - first["time"] == 5000
    assert second["unmapped"]["revision"] == 2


def test_what_is_too_long_for_a_receiver_is_cut_by_findings_and_records_and_that_is_said():
    cut = json.loads(ocsf.line(ALERT, "en", Telling(1, most=1)))
    assert len(cut["evidences"]) == len(cut["finding_info"]["data_sources"]) == 1
    assert cut["metadata"]["is_truncated"]
    none = json.loads(ocsf.line(ALERT, "en", Telling(1, most=0)))
    assert none["evidences"] == [] and none["metadata"]["is_truncated"]


@given(text=st.text(max_size=40))
@settings(max_examples=100, deadline=None)
def test_hostile_words_keep_to_the_schema(text):
    jsonschema.validate(json.loads(ocsf.line(hostile(text))), EVENT)
