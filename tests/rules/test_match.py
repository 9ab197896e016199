"""Plain rules over rows: what hits, and what each part of the language means."""

import json

import polars as pl
import pytest

from jackstop import rules
from jackstop.model.tables import BY_NAME

SYSTEM = {"channel": "System", "code": 7045, "provider": "Service Control Manager"}


def windows(*rows):
    """Rows of `windows` with event ids from 1."""
    frame = [{"event_id": i, "computer": "ATM1", **r, "data": json.dumps(r.get("data", {}))} for i, r in enumerate(rows, 1)]
    return pl.DataFrame(frame, schema=BY_NAME["windows"].schema)


def rule(detection, logsource="{product: windows, service: system}", extra=""):
    return f"title: t\nid: 11111111-1111-4111-8111-111111111111\nlogsource: {logsource}\n{extra}\ndetection:\n" + "\n".join(
        "  " + line for line in detection.strip("\n").splitlines()
    )


def hits(text, *rows, table="windows", **loading):
    """The event ids that one rule hits."""
    loaded = rules.load({"r.yml": text}, **loading)
    assert not loaded.faults
    frame = windows(*rows) if table == "windows" else rows[0]
    return sorted(rules.RuleSet.of(loaded.rules).match({table: frame})["event_id"].to_list())


def events(*datas):
    return [{**SYSTEM, "data": d} for d in datas]


def detection(test):
    return rule(f"sel:\n  {test}\ncondition: sel")


@pytest.mark.parametrize(
    ("test", "hit", "miss"),
    [
        ("A: Foo", "fOO", "food"),
        ("A: 'f*o'", "Fabco", "fabcob"),
        ("A: 'f?o'", "fäo", "fo"),
        (r"A: 'f\*o'", "f*o", "fabo"),
        (r"A: 'C:\\*'", "C:\\x", "C:x"),
        (r"A|endswith: '\x.exe'", "C:\\X.EXE", "x.exe"),
        ("A|startswith: ab", "ABC", "cab"),
        ("A|contains|all: [a, b]", "xbxa", "aaa"),
        ("A|cased: Foo", "Foo", "foo"),
        ("A|contains|cased: Foo", "aFoob", "afoob"),
        ("A|re: 'a.c$'", "xxabc", "ABC"),
        ("A|re|i: '^a.c$'", "ABC", "xABC"),
        ("A|re|i|m: '^b$'", "a\nB", "ab"),
        ("A|re|s: 'a.b'", "a\nb", "ab"),
        ("A|cidr: 10.0.0.0/8", "10.2.3.4", "11.0.0.1"),
        ("A|cidr: 10.0.0.0/8", "::ffff:10.2.3.4", "10.2.3"),
        ("A|cidr: fe80::/10", "fe80::1%5", "10.0.0.1"),
        ("A|gt: 5", "6", "5"),
        ("A|gte: 5", "5.0", "x"),
        ("A|lt: 5", "-7", "5"),
        ("A|lte: 5", "5", "5.5"),
        ("A: 5", "5", "15"),
        ("A|neq: foo", "bar", "FOO"),
        ("A|windash|contains: ' -enc'", "x /ENC y", "x enc"),
        ("A|base64offset|contains: evil-string", "aaZXZpbC1zdHJpbm", "evil-string"),
        ("A|wide|base64offset|contains: http", "aAB0AHQAcA", "http"),
        ("A|fieldref: B", "same", "other"),
        ("A|fieldref|startswith: B", "same or more", "the same"),
        ("A|fieldref|endswith: B", "the same", "same or more"),
        ("A|fieldref|contains: B", "the same or more", "other"),
        ("A|contains: ''", "anything", None),
        ("A: ''", "", "x"),
        ("A: null", None, "x"),
        ("A: null", "", "x"),
        ("A|exists: true", "", None),
        ("A|exists: false", None, ""),
        ("A: '*'", "", None),
        ("A: true", "TRUE", "false"),
        ("A|hour: 3", "2026-03-01T03:59:00Z", "2026-03-01T04:00:00Z"),
        ("A|week: 9", "2026-03-01T03:59:00Z", "2026-03-02T03:59:00Z"),
    ],
)
def test_a_test_of_a_field_passes_what_sigma_says(test, hit, miss):
    def data(value):
        return {"B": "SAME"} | ({} if value is None else {"A": value})

    assert hits(detection(test), *events(data(hit), data(miss))) == [1]


def test_a_missing_field_never_matches_and_so_a_filter_of_it_lets_through():
    text = rule("sel: {A: x}\nf: {B: y}\ncondition: sel and not f")
    assert hits(text, *events({"A": "x"}, {"A": "x", "B": "y"}, {"B": "z"})) == [1]


def test_keywords_are_looked_for_in_every_value_of_the_event():
    text = rule("k: [evil*thing, service control]\ncondition: k", "{product: windows}")
    rows = (
        {"channel": "Application", "code": 1, "data": {"A": "an EVIL big thing"}},
        *events({}),
        {"channel": "X", "code": 2, "data": {"A": "evil", "B": "thing"}},
    )
    assert hits(text, *rows) == [1, 2]


def test_one_of_and_all_of_choose_by_name():
    text = rule("s_a: {A: x}\ns_b: {B: y}\nf_c: {C: z}\ncondition: all of s_* and not 1 of f_*")
    assert hits(text, *events({"A": "x", "B": "y"}, {"A": "x"}, {"A": "x", "B": "y", "C": "z"})) == [1]
    assert hits(rule("a: {A: x}\nb: {B: y}\ncondition: 1 of them"), *events({"B": "y"}, {"C": "y"})) == [1]


def test_placeholders_take_the_values_that_the_user_gives():
    text = detection("A|expand: '%who%'")
    assert [f.kind for f in rules.load({"r.yml": text}).faults] == ["placeholder"]
    assert hits(text, *events({"A": "ann"}, {"A": "%who%"}), pipeline=rules.Pipeline({"who": ("Ann", "Bob")})) == [1]


def test_process_creation_is_sysmon_1_and_security_4688():
    text = rule(
        "sel: {Image|endswith: '\\cmd.exe', IntegrityLevel: System}\ncondition: sel",
        "{product: windows, category: process_creation}",
    )
    rows = (
        {
            "channel": "Microsoft-Windows-Sysmon/Operational",
            "code": 1,
            "data": {"Image": "C:\\cmd.exe", "IntegrityLevel": "System"},
        },
        {"channel": "Security", "code": 4688, "data": {"NewProcessName": "C:\\cmd.exe", "MandatoryLabel": "S-1-16-16384"}},
        {"channel": "Security", "code": 4689, "data": {"NewProcessName": "C:\\cmd.exe", "MandatoryLabel": "S-1-16-16384"}},
    )
    assert hits(text, *rows) == [1, 2]


def test_a_filter_that_an_event_cannot_answer_keeps_a_rule_silent():
    text = rule(
        "sel: {Image|endswith: '\\cmd.exe'}\n"
        "f: {ParentCommandLine: good, ParentImage|endswith: '\\p.exe'}\ncondition: sel and not f",
        "{product: windows, category: process_creation}",
    )
    event = {"channel": "Security", "code": 4688}
    asks = {**event, "data": {"NewProcessName": "C:\\cmd.exe", "ParentProcessName": "C:\\p.exe"}}
    answered = {**event, "data": {"NewProcessName": "C:\\cmd.exe", "ParentProcessName": "C:\\q.exe"}}
    assert hits(text, asks, answered) == [2]


def test_registry_audit_events_speak_as_sysmon_does():
    text = rule(
        r"sel: {TargetObject|endswith: '\CurrentControlSet\Services\x\Start', Details: 'DWORD (0x00000004)'}"
        + "\ncondition: sel",
        "{product: windows, category: registry_set}",
    )
    data = {
        "OperationType": "%%1905",
        "ObjectName": "\\REGISTRY\\MACHINE\\SYSTEM\\ControlSet001\\Services\\x",
        "ObjectValueName": "Start",
        "NewValueType": "%%1876",
        "NewValue": "4",
    }
    row = {"channel": "Security", "code": 4657}
    assert hits(text, {**row, "data": data}, {**row, "data": data | {"OperationType": "%%1906"}}) == [1]


def test_a_table_of_ours_is_asked_by_its_columns():
    text = rule("sel: {activity: presented, amount|gte: 5000, result: 0}\ncondition: sel", "{product: atm, service: cash}")
    rows = [
        {"event_id": 1, "activity": "presented", "amount": 5000, "result": 0},
        {"event_id": 2, "activity": "presented", "amount": 4999, "result": 0},
    ]
    assert hits(text, pl.DataFrame(rows, schema=BY_NAME["cash"].schema), table="cash") == [1]


def test_a_rule_for_closed_hours_needs_the_site_closed():
    text = rule(
        "sel: {activity: opened}\ncondition: sel", "{product: atm, service: cabinet}", "x-jackstop: {schedule: {site: closed}}"
    )
    frame = pl.DataFrame([{"event_id": i, "activity": "opened"} for i in (1, 2, 3)], schema=BY_NAME["cabinet"].schema)
    assert hits(text, frame.with_columns(closed=pl.Series([True, False, None])), table="cabinet") == [1]
    assert hits(text, frame, table="cabinet") == []


def test_a_hit_carries_the_row_it_is_of_and_its_rule_names_the_author():
    loaded = rules.load({"r.yml": detection("A: x") + "\nauthor: Ann\nlicense: DRL-1.1\n"})
    frame = windows(*events({"A": "x"})).with_columns(at=pl.lit(5, pl.Int64), arrival=pl.lit(7, pl.Int64))
    found = rules.RuleSet.of(loaded.rules).match({"windows": frame})
    assert found.select("rule", "table", "event_id", "at", "arrival").rows() == [
        ("11111111-1111-4111-8111-111111111111", "windows", 1, 5, 7)
    ]
    assert loaded.rules[0].about.author == "Ann"


def test_cutting_rows_into_batches_changes_nothing():
    loaded = rules.load({"r.yml": detection("A|contains: [x, y]")})
    frame = windows(*events(*[{"A": f"{'xyz'[i % 3]}{i}"} for i in range(50)]))
    chosen = rules.RuleSet.of(loaded.rules)
    whole = chosen.match({"windows": frame})["event_id"].to_list()
    parts = [i for n in range(50) for i in chosen.match({"windows": frame.slice(n, 1)})["event_id"].to_list()]
    assert whole == parts and len(whole) == 34


@pytest.mark.parametrize("times", [1, 100])
def test_an_event_whose_data_is_no_json_has_no_values_and_harms_no_other(times):
    loaded = rules.load({"r.yml": detection("A: x")})
    frame = pl.concat([windows(*events({"A": "x"}, {"A": "x"}, {"A": "x"}))] * times)
    broken = pl.when(pl.col("event_id") == 2).then(pl.lit('{"A": "x')).when(pl.col("event_id") == 3).then(pl.lit("[1]"))
    found = rules.RuleSet.of(loaded.rules).match({"windows": frame.with_columns(data=broken.otherwise("data"))})
    assert found["event_id"].to_list() == [1] * times
