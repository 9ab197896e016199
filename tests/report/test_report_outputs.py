"""What programs read: lines of JSON as the contract has them."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import jsonschema
import polars as pl
import pytest
from fake_report import ATTACK, report, trojan
from hypothesis import given, settings
from hypothesis import strategies as st

from jackstop.model import vocabulary as v
from jackstop.model.results import VERDICTS
from jackstop.report import outputs

TIME = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3}|\.\d{6})?Z$"}
MAYBE_TIME = {"anyOf": [TIME, {"type": "null"}]}
INT, MAYBE_INT = {"type": "integer"}, {"type": ["integer", "null"]}
STRING, STRINGS = {"type": "string"}, {"type": "array", "items": {"type": "string"}}


def _object(**properties: object) -> dict[str, object]:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


RECORDS = {"type": "array", "items": _object(path=STRING, offset=INT, length=INT, sha256={"pattern": "^[0-9a-f]{64}$"})}
VERDICT = _object(
    id=STRING, terminal=STRING, kind={"enum": ["episode", "balance", "authorisation"]}, time=TIME, currency=STRING,
    picked=MAYBE_INT, presented=MAYBE_INT, retained=MAYBE_INT, verdict={"enum": list(v.VERDICT)},
    reason=STRING, reason_key=STRING, explained_by=STRINGS, gates_failed=STRINGS, sources_missing=STRINGS,
    clock=_object(offset_ms=MAYBE_INT, uncertainty_ms=MAYBE_INT), decided_at=TIME, records=RECORDS,
)  # fmt: skip
FINDING = _object(
    id=STRING, detection=STRING, terminal=STRING, severity={"enum": list(v.SEVERITY)}, time=TIME, decided_at=TIME, amount=INT,
    detail={"type": "object", "additionalProperties": STRING},
)  # fmt: skip
ALERT = _object(
    id=STRING, terminals=STRINGS, severity={"enum": list(v.SEVERITY)}, title=STRING, detections=STRINGS, attack=STRINGS,
    first_event=TIME, raised_at=TIME, updated_at=TIME, unexplained=INT, money_at_risk=INT, currency=STRING, visits=STRINGS,
    verdicts=STRINGS, records=RECORDS, findings={"type": "array", "items": FINDING}, cites=STRINGS,
    paged_at=MAYBE_TIME, withdrawn=STRINGS,
)  # fmt: skip
SOURCE = _object(
    source=STRING, format=STRING, records=INT, understood=INT, ignored=INT, refused=INT, duplicates=INT, rows=INT,
    reasons={"type": "object", "additionalProperties": INT}, first=MAYBE_TIME, last=MAYBE_TIME,
    gaps={"type": "array", "items": _object(time=TIME, missing=INT)},
    clock=_object(offset_ms=MAYBE_INT, uncertainty_ms=MAYBE_INT),
)  # fmt: skip
CHANNEL = _object(
    channel=STRING, first=MAYBE_TIME, last=MAYBE_TIME, events=INT, never_seen={"type": "array", "items": INT}
)  # fmt: skip
TERMINAL = _object(
    terminal=STRING, movements=INT, by_verdict={"type": "object", "additionalProperties": INT},
    sources={"type": "array", "items": SOURCE}, blind_spots={"type": "array", "items": _object(detection=STRING, missing=STRING)},
    windows=_object(channels={"type": "array", "items": CHANNEL}, unheard=STRINGS, unproven=STRINGS),
)  # fmt: skip
COVERAGE = _object(
    fleet=STRING, start=TIME, end=TIME, terminals={"type": "array", "items": TERMINAL},
    sources={"type": "array", "items": SOURCE}, version=STRING,
)  # fmt: skip


def frame(**changed: object) -> pl.DataFrame:
    row: dict[str, object] = {
        "id": "e1", "terminal": "ATM-0001", "kind": "episode", "time": datetime(2026, 3, 1, 2, 11, 7, 120_000, UTC),
        "currency": "USD", "picked": 80_000, "presented": 80_000, "retained": 80_000, "verdict": "unexplained",
        "reason": "no-authorisation", "explained_by": [], "gates_failed": [], "sources_missing": [], "offset_ms": 21_400,
        "uncertainty_ms": 900, "decided_at": datetime(2026, 3, 1, 2, 11, 9, 0, UTC),
        "records": [{"path": "logs/a", "offset": 1234, "length": 210, "sha256": "ab" * 32}],
    }  # fmt: skip
    return pl.DataFrame([row | changed], schema=VERDICTS)


def test_a_verdict_is_one_line_that_reads_as_the_contract_shows_it():
    (line,) = outputs.verdicts_jsonl(frame())
    told = json.loads(line)
    jsonschema.validate(told, VERDICT)
    assert told["time"] == "2026-03-01T02:11:07.120Z"
    assert told["decided_at"] == "2026-03-01T02:11:09Z"
    assert told["reason"] == "no approved authorisation within window"
    assert told["reason_key"] == "no-authorisation"
    assert told["clock"] == {"offset_ms": 21_400, "uncertainty_ms": 900}
    assert told["records"] == [{"path": "logs/a", "offset": 1234, "length": 210, "sha256": "ab" * 32}]
    assert list(told)[:4] == ["id", "terminal", "kind", "time"]


def test_what_is_not_known_is_null_and_lists_stay_lists():
    blank = frame(
        picked=None, presented=None, retained=None, offset_ms=None, uncertainty_ms=None, records=[], kind="authorisation"
    )
    told = json.loads(next(outputs.verdicts_jsonl(blank)))
    jsonschema.validate(told, VERDICT)
    assert (told["picked"], told["clock"]["offset_ms"], told["records"]) == (None, None, [])


def test_verdicts_come_in_the_order_of_the_frame_and_none_from_an_empty_one():
    both = pl.concat([frame(id="b"), frame(id="a")])
    assert [json.loads(x)["id"] for x in outputs.verdicts_jsonl(both)] == ["b", "a"]
    assert list(outputs.verdicts_jsonl(pl.DataFrame(schema=VERDICTS))) == []


@settings(deadline=None, max_examples=60)
@given(st.text(), st.text())
def test_whatever_a_log_says_a_verdict_stays_one_line_and_comes_back_whole(terminal, path):
    record = {"path": path, "offset": 0, "length": 1, "sha256": "0" * 64}
    (line,) = outputs.verdicts_jsonl(frame(terminal=terminal, records=[record]))
    assert len(line.splitlines()) == 1
    told = json.loads(line)
    assert (told["terminal"], told["records"][0]["path"]) == (terminal, path)


@settings(deadline=None, max_examples=60)
@given(st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 31)))
def test_a_stamp_is_the_same_from_a_table_as_from_a_number_and_loses_nothing(moment):
    moment = moment.replace(tzinfo=UTC)
    told = json.loads(next(outputs.verdicts_jsonl(frame(time=moment))))["time"]
    assert told == outputs.stamp((moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1))
    assert datetime.fromisoformat(told) == moment


def test_alerts_conform_and_carry_their_findings():
    alerts = [d.alert for d in report().dossiers]
    told = [json.loads(x) for x in outputs.alerts_jsonl(alerts)]
    for alert in told:
        jsonschema.validate(alert, ALERT)
    assert [a["id"] for a in told] == [a.id for a in alerts]
    stolen = next(a for a in told if a["unexplained"] == 400_000)
    assert stolen["first_event"] == outputs.stamp(ATTACK)
    assert stolen["attack"] == ["T1106", "T1200"]
    assert [f["detection"] for f in stolen["findings"]].count("dispense.unexplained") == 5


def test_coverage_conforms_and_says_what_was_refused_and_what_could_not_be_seen():
    told = json.loads(outputs.coverage_json(report()))
    jsonschema.validate(told, COVERAGE)
    third = told["terminals"][2]
    assert {"detection": "cabinet.tamper", "missing": "cabinet"} in third["blind_spots"]
    assert third["windows"]["unheard"] == ["boot.disk-changed"]
    assert [c["never_seen"] for c in third["windows"]["channels"]] == [[1006], [1102, 4616]]
    evtx = third["sources"][1]
    assert evtx["refused"] == 19
    assert evtx["reasons"] == {"chunk checksum is wrong": 12, "record is cut": 7}
    assert evtx["gaps"][0]["missing"] == 41
    assert told["sources"][0]["source"] == "logs/switch.csv"


@pytest.mark.parametrize("name", ["\udcff.log", "a\u2028b", "\x1b[31m", 'q"\\'])
def test_a_file_name_of_any_bytes_leaves_sound_json(name):
    one = trojan().alert.records[0]
    alert = replace(trojan().alert, records=(replace(one, path=name),), findings=())
    (line,) = outputs.alerts_jsonl([alert])
    assert len(line.splitlines()) == 1
    json.loads(line.encode("utf-8"))


def test_absurd_times_are_written_within_the_calendar():
    assert outputs.stamp(None) is None
    assert outputs.stamp(2**62) == "9999-12-31T00:00:00Z"
    assert outputs.stamp(-(2**62)) == "0001-01-02T00:00:00Z"
