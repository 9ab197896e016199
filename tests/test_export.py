"""Rules as queries of other systems: those that can go, and those that must not."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from sigma.processing.conditions import LogsourceCondition
from sigma.processing.pipeline import ProcessingItem, ProcessingPipeline
from sigma.processing.transformations import AddConditionTransformation

from jackstop import export
from jackstop.detections import _sigma
from jackstop.export import TARGETS, Query, Refused, Target

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


@pytest.fixture(params=["plain", *TARGETS])
def target(request, monkeypatch) -> str:
    """A target whose backend is here; `plain` is pySigma's own backend for tests, which always is."""
    if request.param == "plain":
        made = Target(("sigma.backends.test", "TextQueryTestBackend"), ((__name__, "naming"),), "txt", "has none", True, "")
        monkeypatch.setitem(export.TARGETS, "plain", made)
        return "plain"
    pytest.importorskip(TARGETS[request.param].backend[0])
    pytest.importorskip("sigma.pipelines.windows")
    return request.param


def naming() -> ProcessingPipeline:
    """What a real target's pipeline does with the one log source of these tests."""
    system = AddConditionTransformation({"Channel": "System"})
    return ProcessingPipeline(items=[ProcessingItem(system, rule_conditions=[LogsourceCondition(service="system")])])


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
    queries, refused = export.export(_sigma.shipped(), target, folded=True)
    assert sorted([q.rule for q in queries] + [r.rule for r in refused]) == sorted(_sigma.shipped())
    assert len(queries) >= (3 if target == "plain" else 10)
    assert all(len(r.reason) > 10 for r in refused)


def test_an_unknown_target_is_told_with_those_there_are():
    with pytest.raises(LookupError, match="splunk, elasticsearch, opensearch, kusto"):
        export.export({}, "nope")


def test_another_interpreter_is_asked_and_one_without_backends_says_so(tmp_path: Path):
    asked = json.dumps({"texts": {"a": RULE, "b": COUNT}, "target": "splunk", "folded": False})
    done = subprocess.run([sys.executable, "-I", export.__file__], input=asked, capture_output=True, text=True, check=False)
    if done.returncode == 2:
        assert "pysigma-backend-splunk is not installed" in done.stderr
    else:
        told = json.loads(done.stdout)
        assert [q["rule"] for q in told["queries"]] == ["a"]
        assert [r["rule"] for r in told["refused"]] == ["b"]


@pytest.mark.parametrize(
    "words", [("--to", "nope"), ("--to", "splunk", "--with", "/no/such/python"), ("--to", "splunk", "--with", "/bin/false")]
)
def test_the_command_tells_what_is_wrong_in_one_line(tmp_path: Path, words):
    done = subprocess.run(
        [sys.executable, "-m", "jackstop", "detections", "export", "--out", "o", *words],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "expected" in done.stderr and "Traceback" not in done.stderr


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
