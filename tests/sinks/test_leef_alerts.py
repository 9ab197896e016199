"""LEEF, read back by a slow reader that follows the guide's own words."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from some_alerts import ALERT, RECORD, hostile

from jackstop.model.results import SEVERITIES
from jackstop.sinks import Telling, leef

GOLDEN = (
    "LEEF:2.0|jackstop|jackstop|0.1.0|dispense.unexplained|x09|cat=critical\tsev=10\tdevTime=1772330479120\t"
    "alertId=0123456789abcdef\tidentHostName=ATM-0001\tresource=ATM-0001\ttitle=Cash left with no authorisation\t"
    "unexplainedMinorUnits=80000\tatRiskMinorUnits=1600000\tcurrency=USD\tfirstEvent=1772330467120\t"
    "msg=Cash left with no authorisation (ATM-0001): 800.00 USD unexplained\t"
)
KEYS = {
    "cat", "sev", "devTime", "alertId", "revision", "status", "identHostName", "resource", "title", "unexplainedMinorUnits",
    "atRiskMinorUnits", "currency", "firstEvent", "msg", "firstStep", "detections", "attack", "visits", "terminals", "verdicts",
    "records",
}  # fmt: skip


def read(line: str) -> tuple[list[str], dict[str, str]]:
    """Header fields and attributes: the header ends at the sixth pipe, the delimiter is a hexadecimal code."""
    *fields, rest = line.split("|", 6)
    assert len(fields) == 6
    mark = chr(int(fields[5].removeprefix("x"), 16))
    pairs = [part.split("=", 1) for part in rest.split(mark)]
    assert all(len(p) == 2 for p in pairs)
    assert len({k for k, _ in pairs}) == len(pairs), "a key stands twice"
    return fields, dict(pairs)


def test_an_alert_is_this_line_of_leef():
    line = leef.line(ALERT)
    assert line.startswith(GOLDEN)
    header, values = read(line)
    assert header[:5] == ["LEEF:2.0", "jackstop", "jackstop", "0.1.0", "dispense.unexplained"]
    assert values["records"].split()[1] == f"{RECORD.path}@1234+210:{RECORD.sha256}"
    assert set(values) == KEYS - {"revision", "status"}


def test_severity_is_one_to_ten_and_rises_with_the_alert():
    shown = [int(read(leef.line(replace(ALERT, severity=s)))[1]["sev"]) for s in SEVERITIES]
    assert shown == sorted(set(shown)) and shown[0] >= 1 and shown[-1] == 10


def test_event_id_and_category_are_the_same_in_every_language():
    english, japanese = (read(leef.line(ALERT, lang)) for lang in ("en", "ja"))
    assert english[0] == japanese[0]
    assert english[1]["cat"] == japanese[1]["cat"]
    assert english[1]["title"] != japanese[1]["title"]


def test_live_the_revision_and_its_status_are_told():
    later = replace(ALERT, updated_at=ALERT.updated_at + 5_000_000)
    _, values = read(leef.line(later, "en", Telling(7, updated=True)))
    assert (values["revision"], values["status"], values["alertId"]) == ("7", "updated", ALERT.id)
    assert int(values["devTime"]) == ALERT.updated_at // 1000 + 5000


TEXT = st.text(st.one_of(st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp")), st.sampled_from("|=\\\t^ ")), max_size=80)


@given(text=TEXT)
@settings(max_examples=300, deadline=None)
def test_hostile_words_end_no_field_of_leef_and_come_back_but_for_tabs(text):
    header, values = read(leef.line(hostile(text)))
    plain = text.replace("\t", " ")
    assert len(header) == 6 and set(values) <= KEYS
    if text:
        assert values["title"] == values["identHostName"] == values["visits"] == plain
        assert values["records"] == f"{plain}{RECORD.path}@0+1:{'ef' * 32}"


@given(text=st.text(min_size=500, max_size=3000))
@settings(max_examples=50, deadline=None)
def test_a_line_is_never_longer_than_a_receiver_takes_and_keeps_what_matters(text):
    line = leef.line(hostile(text), "ja", Telling(1))
    assert len(line.encode()) <= leef.LONGEST
    _, values = read(line)
    assert {"cat", "sev", "devTime", "alertId", "revision", "identHostName", "unexplainedMinorUnits"} <= set(values)
    assert len(values["identHostName"]) <= 255
