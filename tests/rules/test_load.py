"""Loading: every fault at once, each with its place; nothing skipped; hostile files bounded."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jackstop import rules
from jackstop.rules.compat import report

HEAD = "title: t\nid: {n}1111111-1111-4111-8111-111111111111\nname: r{n}\nlogsource: {{product: windows, service: system}}\n"


def rule(n, detection="detection:\n  s: {A: x}\n  condition: s\n", head=HEAD):
    return head.format(n=n) + detection


def correlation(n, body, extra=""):
    return f"title: c\nid: {n}1111111-1111-4111-8111-111111111111\nname: c{n}\n{extra}correlation: {body}\n"


def faults(*texts):
    """(file, line, kind) of each fault."""
    return [(f.path, f.line, f.kind) for f in rules.load({f"{i}.yml": t for i, t in enumerate(texts)}).faults]


@pytest.mark.parametrize(
    ("text", "line", "kind", "word"),
    [
        ("a: [", 1, "file", "YAML"),
        ("a: 1\nb: 2\na: 3\n", 3, "file", "twice (first in line 1)"),
        (rule(1) + "tags: &t [a]\nreferences: *t\n", 8, "file", "alias"),
        ("- a\n", 1, "file", "no mapping"),
        ("", 1, "file", "no document"),
        ("? [a]\n: b\n", 1, "file", "no plain text"),
        ("a: " + "[" * 40 + "]" * 40, 1, "file", "nesting"),
        ("a: " + "x" * (1 << 20), 1, "file", "more than"),
        ("a: !!python/object/apply:os.system [ls]\n", 1, "file", "YAML"),
        (rule(1, "detection:\n  s: {A: x}\n"), 5, "sigma", "condition"),
        (rule(1, "detection:\n  s: {A: x}\n  condition: t\n"), 7, "sigma", "'t' not defined"),
        (rule(1, "detection:\n  s: {A: x}\n  condition: s | count() > 5\n"), 7, "sigma", "pipe"),
        (rule(1, "detection:\n  s: {A: x}\n  condition: " + "not " * 2000 + "s\n"), 7, "sigma", "longer"),
        (rule(1, "detection:\n  s: {B: y}\n  t:\n    A|sounds: x\n  condition: s\n"), 8, "sigma", "sounds"),
        (rule(1, head=HEAD.replace("system", "martian")), 4, "source", "martian"),
        (rule(1, head=HEAD.replace("windows", "linux")), 4, "source", "linux"),
        (rule(1, head=HEAD.replace("product: windows, service: system", "product: atm, service: vault")), 4, "source", "vault"),
        (rule(1, head=HEAD.replace("windows, service: system", "atm, service: cash")), 6, "field", "'A' is no column of cash"),
        (rule(1, "detection:\n  s:\n    B: y\n    A|re: '(?=x)y'\n  condition: s\n"), 8, "regex", "(?="),
        (rule(1, "detection:\n  s:\n    A|re: '(a)\\1'\n  condition: s\n"), 7, "regex", "escape"),
        (rule(1, "detection:\n  s:\n    A|re: '((a{100}){100}){100}'\n  condition: s\n"), 7, "regex", "repetition"),
        (rule(1, "detection:\n  s:\n    A|expand: '%who%'\n  condition: s\n"), 7, "placeholder", "%who%"),
        (rule(1, "detection:\n  s: {Opcode: 2}\n  condition: s\n"), 6, "field", "opcode is not kept"),
        (rule(1) + "action: global\n", 1, "unsupported", "action"),
        (rule(1) + "x-jackstop: {schedule: {site: sometimes}}\n", 1, "unsupported", "schedule"),
        ("title: t\n", 1, "sigma", "neither"),
    ],
)
def test_a_fault_says_where_and_what(text, line, kind, word):
    loaded = rules.load({"r.yml": text})
    assert [(f.path, f.line, f.kind) for f in loaded.faults] == [("r.yml", line, kind)]
    assert word in loaded.faults[0].what and loaded.faults[0].expected
    assert str(loaded.faults[0]).startswith(f"r.yml:{line}: ")
    assert not loaded.rules


def test_all_faults_of_all_files_come_at_once_and_good_rules_still_load():
    bad = rule(2, "detection:\n  s:\n    A|re: '(?=x)'\n    B|re: '(?!x)'\n    C|expand: '%p%'\n  condition: s\n")
    many = f"{rule(1)}---\n{bad}---\na: 1\na: 2\n"
    loaded = rules.load({"x.yml": many, "y.yml": "[", "z.yml": rule(3)})
    assert [r.about.name for r in loaded.rules] == ["r1", "r3"]
    assert [(f.path, f.line, f.kind) for f in loaded.faults] == [
        ("x.yml", 15, "regex"),
        ("x.yml", 16, "regex"),
        ("x.yml", 17, "placeholder"),
        ("x.yml", 21, "file"),
        ("y.yml", 1, "file"),
    ]


def test_an_id_or_name_belongs_to_one_rule():
    loaded = rules.load({"a.yml": rule(1), "b.yml": rule(1)})
    assert len(loaded.rules) == 1
    assert [(f.path, f.line, f.kind) for f in loaded.faults] == [("b.yml", 2, "sigma")]
    assert "a.yml:1" in loaded.faults[0].what


@pytest.mark.parametrize(
    ("body", "extra", "kind", "word"),
    [
        ("{type: temporal, rules: [r1, r2], timespan: 1m, condition: r1 and not r2}", "", "absence", "no settled meaning"),
        (
            "{type: temporal_ordered, rules: [r1, r2], timespan: 1m, condition: r1 and not r2}",
            "x-jackstop: {absence: {trigger: r1, before: 1s, after: 1s}}\n",
            "absence",
            "temporal_ordered",
        ),
        (
            "{type: temporal, rules: [r1, r2], timespan: 1m, condition: r1 and not r2}",
            "x-jackstop: {absence: {trigger: r1, before: 1m, after: 1m}}\n",
            "absence",
            "longer than the timespan",
        ),
        (
            "{type: temporal, rules: [r1, r2], timespan: 1m, condition: r1 and not r2}",
            "x-jackstop: {absence: {trigger: r2, before: 1s, after: 1s}}\n",
            "absence",
            "r1 beside",
        ),
        (
            "{type: temporal, rules: [r1, r2], timespan: 1m, condition: r1 and not r2}",
            "x-jackstop: {absence: {trigger: r1, before: soon, after: 1s}}\n",
            "absence",
            "soon",
        ),
        (
            "{type: temporal, rules: [r1, r2], timespan: 1m, condition: r1 and r2}",
            "x-jackstop: {absence: {trigger: r1, before: 1s, after: 1s}}\n",
            "absence",
            "without `not`",
        ),
        ("{type: event_count, rules: [r9], timespan: 1m, condition: {gte: 2}}", "", "correlation", "r9"),
        ("{type: event_count, rules: [c8], timespan: 1m, condition: {gte: 2}}", "", "correlation", "circle"),
        ("{type: event_count, rules: [r1], timespan: 1m, condition: {lt: 1}}", "", "correlation", "silence"),
        ("{type: value_sum, rules: [r1], timespan: 1m, condition: {gte: 1, field: [A, B]}}", "", "correlation", "several fields"),
        ("{type: value_percentile, rules: [r1], timespan: 1m, condition: {gte: 1, field: A}}", "", "correlation", "percentile"),
        ("{type: event_count, rules: [r1], timespan: soon, condition: {gte: 2}}", "", "sigma", "soon"),
        ("{type: rumour, rules: [r1], timespan: 1m, condition: {gte: 2}}", "", "sigma", "rumour"),
        ("{type: value_count, rules: [r1], timespan: 1m, condition: {gte: 2}}", "", "sigma", "field"),
        ("{type: temporal, rules: [c7, r1], timespan: 1m, group-by: [user]}", "", "correlation", "no group"),
    ],
)
def test_a_correlation_that_cannot_be_honoured_is_refused(body, extra, kind, word):
    inner = correlation(7, "{type: event_count, rules: [r1], timespan: 1m, condition: {gte: 2}, generate: true}")
    loaded = rules.load({"1.yml": rule(1), "2.yml": rule(2), "7.yml": inner, "8.yml": correlation(8, body, extra)})
    assert [(f.path, f.kind) for f in loaded.faults] == [("8.yml", kind)]
    assert word in loaded.faults[0].what
    assert [c.about.name for c in loaded.correlations] == ["c7"]


def test_a_rule_that_only_serves_correlations_does_not_stand_alone():
    body = "{type: event_count, rules: [r1], timespan: 1m, condition: {gte: 2}}"
    loaded = rules.load({"1.yml": rule(1), "2.yml": rule(2), "8.yml": correlation(8, body)})
    assert {r.about.name: r.alone for r in loaded.rules} == {"r1": False, "r2": True}
    generating = rules.load({"1.yml": rule(1), "8.yml": correlation(8, body.replace("}}", "}, generate: true}"))})
    assert [r.alone for r in generating.rules] == [True]


def test_a_report_counts_what_runs_and_names_what_does_not():
    lookahead = rule(2, "detection:\n  s:\n    A|re: '(?=x)'\n    B|re: '(?!x)'\n  condition: s\n")
    foreign = rule(3, head=HEAD.replace("windows", "linux"))
    said = report({"a.yml": f"{rule(1)}---\n{lookahead}---\n{foreign}"})
    assert (said.documents, said.valid, said.running, said.share) == (3, 2, 1, 0.5)
    assert said.kinds == {"regex": 1, "source": 1}
    assert len(said.reasons) == 3


PIECES = """title: t
detection:
  s: {A: x}
  s:
    A|re: '('
    A|contains: [a, 1, null]
  condition: s
---
- x
logsource: {product: windows}
logsource: x
correlation: {type: temporal}
id: 1
x-jackstop: 3
tags: [1]
level: no""".splitlines()


@settings(max_examples=300, deadline=None)
@given(st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=12)), max_size=14).map("\n".join))
def test_any_text_gives_rules_or_faults_and_never_an_error(text):
    loaded = rules.load({"r.yml": text})
    assert loaded.rules or loaded.correlations or loaded.faults or not text.replace("-", "").strip()


def test_a_rule_that_sigma_refuses_still_has_all_its_other_faults_told():
    text = """title: Slow
id: 11111111-1111-4111-8111-111111111112
logsource: {product: windows, service: sytem}
detection:
  a: {EventID: 7045, ImagePath|re: '(a+)+(?=b)'}
  b: {ServiceName|foo: x}
  condition: a and b and c
level: loud
"""
    loaded = rules.load({"a.yml": text})
    assert not loaded.rules
    told = {(f.line, word) for f in loaded.faults for word in ("sytem", "(?=b)", "foo", "'c'", "loud") if word in f.what}
    assert {(3, "sytem"), (5, "(?=b)"), (6, "foo"), (7, "'c'")} <= told
    assert any(word == "loud" for _, word in told)
    assert len(loaded.faults) == 5
