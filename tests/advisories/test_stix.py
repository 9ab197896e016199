"""STIX 2.1 bundles: what is taken, what is left out and said, and bytes that are no bundle."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jackstop import advisories
from jackstop.advisories import Undeclared, _stix
from jackstop.advisories._pattern import LONGEST, Refused, values

ID = "8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f"
HASH = "ab" * 32


def indicator(pattern: str, **more: object) -> dict[str, object]:
    """An indicator object."""
    return {"type": "indicator", "spec_version": "2.1", "id": f"indicator--{ID}", "name": "n", "pattern": pattern, **more}


def bundle(*objects: dict[str, object]) -> bytes:
    """A bundle of these objects."""
    return json.dumps({"type": "bundle", "id": f"bundle--{ID}", "objects": list(objects)}).encode()


def test_a_report_its_techniques_actions_and_indicators_become_an_advisory():
    read = advisories.from_stix(
        bundle(
            {"type": "report", "id": f"report--{ID}", "name": "A  tool\nis seen", "published": "2026-03-04T05:06:07Z",
             "description": "d"},
            {"type": "attack-pattern", "id": f"attack-pattern--{ID}", "name": "Impair Defenses",
             "external_references": [{"source_name": "mitre-attack", "external_id": "T1562"}, {"source_name": "capec"}]},
            {"type": "course-of-action", "id": f"course-of-action--{ID}", "name": "Change locks"},
            indicator(f"[file:hashes.'SHA-256' = '{HASH.upper()}']"),
            indicator("[windows-registry-key:key = 'HKEY_LOCAL_MACHINE\\\\Software\\\\Evil']"),
        ),
        "b.json",
    )  # fmt: skip
    found = read.advisory
    assert (found.title.en, found.date.isoformat(), found.id) == ("A tool is seen", "2026-03-04", f"STIX-{ID}")
    assert [t.id for t in found.techniques] == ["T1562"]
    assert [a.en for a in found.actions] == ["Change locks"]
    assert [(i.kind, i.value) for i in found.indicators] == [("hash", HASH), ("registry-key", r"hklm\software\evil")]
    assert read.left_out == []


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("[file:name = 'a.exe']", [("file-name", "a.exe")]),
        ("[file:name='a.exe' OR file:hashes.MD5='x']", [("file-name", "a.exe"), ("hash", "x")]),
        ("[ipv4-addr:value IN ('192.0.2.1', '192.0.2.2')]", [("ip", "192.0.2.1"), ("ip", "192.0.2.2")]),
        (
            "[domain-name:value = 'e.example'] OR [user-account:account_login = 'm\\'s']",
            [("domain", "e.example"), ("account", "m's")],
        ),
        ("[process:extensions.'windows-service-ext'.service_name = 'Evil']", [("service-name", "Evil")]),
        ("[process:binary_ref.hashes.'SHA-1' = 'y']", [("hash", "y")]),
    ],
)
def test_a_list_of_values_is_taken_whole(pattern, expected):
    assert list(values(pattern)) == expected


@pytest.mark.parametrize(
    "pattern",
    [
        "[file:name = 'a.exe' AND file:size = 3]",
        "[file:name = 'a.exe'] AND [domain-name:value = 'e.example']",
        "[file:name = 'a.exe'] FOLLOWEDBY [file:name = 'b.exe']",
        "[file:name = 'a.exe'] WITHIN 5 SECONDS",
        "[file:name LIKE 'a%']",
        "[file:name MATCHES '^a']",
        "[file:name != 'a.exe']",
        "[file:name NOT = 'a.exe']",
        "[NOT file:name = 'a.exe']",
        "[file:size > 3]",
        "[url:value = 'https://e.example/']",
        "[file:hashes.SSDEEP = '3:a']",
        "[(file:name = 'a.exe' OR file:name = 'b.exe') AND file:size = 1]",
        "[file:name = 'a.exe'",
        "file:name = 'a.exe'",
        "[file:name = 'a.exe]",
        "",
        "[" * 1000,
        "x" * (LONGEST + 1),
    ],
)
def test_what_needs_more_than_one_value_or_is_no_pattern_is_refused_whole(pattern):
    with pytest.raises(Refused, match="expected"):
        values(pattern)


@given(text=st.one_of(st.text(max_size=80), st.text("[]()='\\ fileORANDIN:name,", max_size=60)))
@settings(max_examples=400, deadline=None)
def test_any_text_is_taken_or_refused(text):
    try:
        assert all(isinstance(v, str) for _, v in values(text))
    except Refused as fault:
        assert "expected" in str(fault)


def test_what_cannot_be_looked_for_is_left_out_and_said():
    read = advisories.from_stix(
        bundle(
            indicator("[file:name = 'a.exe' AND file:size = 1]"),
            indicator("rule x {}", pattern_type="yara"),
            indicator("[ipv4-addr:value = '192.0.2.0/24']"),
            indicator("[file:name = 'gone.exe']", revoked=True),
            indicator("[file:name = 'kept.exe']"),
        ),
        "b.json",
    )
    assert [i.value for i in read.advisory.indicators] == ["kept.exe"]
    assert len(read.left_out) == 4
    assert all(line.startswith("indicator indicator--") for line in read.left_out)


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"{}", b'{"type":"bundle"}', b"\xff", b"[" * 100_000, bundle(), b'{"type":"report","id":"x"}']
)
def test_what_is_no_bundle_is_refused(data):
    with pytest.raises(Undeclared, match=r"b\.json"):
        advisories.from_stix(data, "b.json")


def test_a_bundle_that_is_too_large_is_refused(monkeypatch):
    monkeypatch.setattr(_stix, "LARGEST", 10)
    with pytest.raises(Undeclared, match="at most 10"):
        advisories.from_stix(bundle(indicator("[file:name = 'a.exe']")), "b.json")


REFERENCE = st.fixed_dictionaries({"external_id": st.text(max_size=9)})
OBJECT = st.fixed_dictionaries(
    {"type": st.sampled_from(["report", "indicator", "attack-pattern", "course-of-action", "x"]), "id": st.text(max_size=20)},
    optional={
        "name": st.text(),
        "description": st.text(),
        "pattern": st.text(max_size=30),
        "published": st.just("2026-01-01T00:00:00Z"),
        "external_references": st.lists(REFERENCE, max_size=2),
    },
)


@given(objects=st.lists(OBJECT, min_size=1, max_size=5))
@settings(max_examples=200, deadline=None)
def test_any_objects_make_an_advisory_or_a_told_fault(objects):
    try:
        read = advisories.from_stix(bundle(*objects), "b.json")
        assert read.advisory.title.en
    except Undeclared as fault:
        assert fault.faults
