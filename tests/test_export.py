"""Rules as queries of other systems: those that can go, and those that must not."""

import json
from pathlib import Path

import pytest

from jackstop import export
from jackstop.detections import _sigma
from jackstop.export import TARGETS, Query, Refused

RULE = """
title: A service
id: f5263152-bbd0-559c-9ec1-a42bb94e8710
logsource: {product: windows, service: system}
detection:
  made: {EventID: 7045, ServiceName: Evil}
  condition: made
level: high
x-jackstop: {silenced_by: [software]}
"""
BASE = """
title: Base
name: base
id: f5263152-bbd0-559c-9ec1-a42bb94e8711
logsource: {product: windows, service: system}
detection: {made: {EventID: 7045}, condition: made}
---
title: Base 2
name: other
id: f5263152-bbd0-559c-9ec1-a42bb94e8712
logsource: {product: windows, service: system}
detection: {made: {EventID: 7036}, condition: made}
---
"""
COUNT = (
    BASE
    + "title: Many\ncorrelation: {type: event_count, rules: [base], group-by: [Computer], timespan: 5m, condition: {gte: 3}}\n"
)
ABSENT = (
    BASE + "title: Alone\ncorrelation: {type: temporal, rules: [base, other], group-by: [Computer], timespan: 5m, "
    "condition: base and not other}\n"
)


@pytest.fixture(params=TARGETS)
def target(request) -> str:
    """A target whose backend is here."""
    pytest.importorskip(TARGETS[request.param].backend[0])
    pytest.importorskip("sigma.pipelines.windows")
    return request.param


def one(text: str, target: str, **options: bool) -> Query | Refused:
    """What becomes of one rule."""
    queries, refused = export.export({"a.rule": text}, target, **options)
    (made,) = [*queries, *refused]
    return made


def test_a_plain_rule_becomes_a_query_that_names_its_values_and_says_what_differs(target):
    made = one(RULE, target, folded=True)
    assert isinstance(made, Query), made
    assert "7045" in made.text and "Evil" in made.text and "System" in made.text
    assert (made.title, made.level) == ("A service", "high")
    assert "visits that permit software" in made.differences[0]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (COUNT, "correlation"),
        (ABSENT, "correlation with `not`"),
        (RULE.replace("silenced_by: [software]", "absence: {trigger: a, before: 1m, after: 1m}"), "absence"),
        (RULE.replace("silenced_by: [software]", "schedule: {site: closed}"), "opening hours"),
        (RULE.replace("product: windows, service: system", "product: atm, service: cash"), "our own tables"),
        (RULE.replace("service: system", "category: image_load").replace("EventID: 7045, ", ""), "log source"),
        (RULE.replace("service: system", "service: no-such-service"), "log source"),
        (BASE, "several documents"),
        ("title: [", "no YAML"),
        ("- 1", "no Sigma rule"),
        ("title: x", "no log source"),
        (RULE.replace("condition: made", "condition: nothing"), "cannot be converted"),
        (RULE.replace("ServiceName: Evil", "ServiceName|nonsense: Evil"), "cannot be converted"),
    ],
)
def test_a_rule_that_would_mean_something_else_is_refused(target, text, why):
    made = one(text, target, folded=True)
    assert isinstance(made, Refused), made
    assert why in made.reason


def test_opensearch_gets_texts_only_over_an_index_that_folds_letters():
    pytest.importorskip(TARGETS["opensearch"].backend[0])
    assert "whatever their case" in one(RULE, "opensearch").reason
    assert isinstance(one(RULE.replace(", ServiceName: Evil", ""), "opensearch"), Query)
    assert isinstance(
        one(RULE.replace("ServiceName: Evil", "ServiceName|cased: Evil"), "opensearch", folded=True), Query | Refused
    )


def test_eql_compares_whatever_the_case():
    pytest.importorskip(TARGETS["elasticsearch"].backend[0])
    assert 'winlog.event_data.ServiceName:"Evil"' in one(RULE, "elasticsearch").text


def test_eql_is_given_no_rule_whose_not_may_be_undecided():
    pytest.importorskip(TARGETS["elasticsearch"].backend[0])
    negated = RULE.replace("condition: made", "good: {ServiceName: Fine}\n  condition: made and not good")
    assert "not settled" in one(negated, "elasticsearch").reason


def test_kusto_asks_the_table_of_windows_events():
    pytest.importorskip(TARGETS["kusto"].backend[0])
    query = one(RULE, "kusto").text
    assert query.splitlines()[:2] == ["WindowsEvent", "| extend EventData_ServiceName = tostring(EventData.ServiceName)"]
    assert query.splitlines()[2].startswith('| where Channel =~ "System"')
    assert 'EventData_ServiceName =~ "Evil"' in query and "EventID == 7045" in query
    assert "cannot be named" in one(RULE.replace("ServiceName: Evil", "'Service Name': Evil"), "kusto").reason


def test_each_of_our_rules_is_a_query_or_a_reason_and_none_is_lost(target):
    queries, refused = export.export(_sigma.texts(), target, folded=True)
    assert sorted([q.rule for q in queries] + [r.rule for r in refused]) == sorted(_sigma.texts())
    assert len(queries) >= 10
    assert all(len(r.reason) > 10 for r in refused)


def test_an_unknown_target_is_told_with_those_there_are():
    with pytest.raises(LookupError, match="splunk, elasticsearch, opensearch, kusto"):
        export.export({}, "nope")


def test_the_command_writes_a_file_a_rule_and_a_list_of_both(tmp_path: Path, target):
    from typer.testing import CliRunner

    from jackstop.cli import detections as command

    (tmp_path / "mine.yml").write_text(RULE.replace(", ServiceName: Evil", ""))
    (tmp_path / "count.yml").write_text(COUNT)
    words = [
        "export",
        "--to",
        target,
        "--out",
        str(tmp_path / "o"),
        "--rules",
        str(tmp_path / "mine.yml"),
        "--rules",
        str(tmp_path / "count.yml"),
    ]
    done = CliRunner().invoke(command.content, words)
    assert done.exit_code == 0, done.output
    told = json.loads((tmp_path / "o" / "export.json").read_text("utf-8"))
    assert [q["rule"] for q in told["queries"]] == ["mine"]
    assert [r["rule"] for r in told["refused"]] == ["count"]
    assert (tmp_path / "o" / told["queries"][0]["file"]).read_text("utf-8").strip()
