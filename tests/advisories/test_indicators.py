"""Indicators in tables: found as themselves and in no longer word, against a slow search that looks at one row at a time."""

import json
import re

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jackstop import advisories
from jackstop.advisories import HITS, Indicator, Matcher
from jackstop.model.tables import BY_NAME

HASH = "0123456789abcdef0123456789abcdef"


def windows(*data: dict[str, str]) -> pl.DataFrame:
    """Windows events with these data."""
    rows = [
        {"event_id": i, "terminal": "ATM-1", "source": "s.evtx", "record_offset": i, "record_length": 1,
         "record_digest": bytes(32), "channel": "System", "code": 7045, "data": json.dumps(d, ensure_ascii=False)}
        for i, d in enumerate(data)
    ]  # fmt: skip
    return pl.DataFrame(rows, schema=BY_NAME["windows"].schema)


def holds(kind: str, value: str, text: str, field: str = "CommandLine") -> bool:
    """Whether one event with this text has one hit."""
    return advisories.match([Indicator(kind=kind, value=value)], {"windows": windows({field: text})}).height == 1


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        ("hash", HASH.upper(), f"SHA1=x,MD5={HASH},IMPHASH=0"),
        ("file-name", "evil.exe", r"C:\Temp\EVIL.EXE /s"),
        ("file-name", "evil.exe", 'run "evil.exe".'),
        ("file-name", "悪意.exe", "C:\\悪意.EXE"),
        ("domain", "evil.example", "https://a.b.evil.example:443/x"),
        ("domain", "evil.example", "mail to x@evil.example."),
        ("ip", "192.0.2.7", "to 192.0.2.7:443"),
        ("ip", "2001:DB8::7", "[2001:db8::7]"),
        ("registry-key", r"HKEY_LOCAL_MACHINE\SOFTWARE\Evil", r"HKLM\Software\Evil\Run"),
        ("registry-key", r"HKLM\SYSTEM\CurrentControlSet\Services\evil", r"\REGISTRY\MACHINE\SYSTEM\ControlSet001\Services\evil"),
        ("registry-key", r"HKCU\Software\Evil", r"HKU\S-1-5-21-1-2-3-1001\Software\Evil"),
        ("registry-key", r"HKLM\Software\Evil", r'reg add "HKLM\Software\Evil" /f'),
    ],
)
def test_a_value_is_found_as_itself(kind, value, text):
    assert holds(kind, value, text)


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        ("hash", HASH, f"a{HASH}"),
        ("hash", HASH, f"{HASH}0"),
        ("file-name", "evil.exe", r"C:\notevil.exe"),
        ("file-name", "evil.exe", r"C:\evil.exe.bak"),
        ("file-name", "evil.exe", r"C:\x.evil.exe"),
        ("domain", "evil.example", "https://evil.example.org/"),
        ("domain", "evil.example", "https://notevil.example/"),
        ("ip", "192.0.2.7", "192.0.2.70"),
        ("ip", "192.0.2.7", "1.192.0.2.7"),
        ("ip", "192.0.2.7", "192.0.2.7.1"),
        ("registry-key", r"HKLM\Software\Evil", r"HKLM\Software\EvilCorp"),
        ("registry-key", r"HKLM\Software\Evil", r"HKCU\Software\Evil"),
        ("registry-key", r"HKLM\Software\Evil", r"C:\Software\Evil"),
        ("service-name", "evil", "evil"),
        ("account", "admin", "admin"),
    ],
)
def test_a_value_is_not_found_in_something_longer_or_elsewhere(kind, value, text):
    assert not holds(kind, value, text)


def test_service_names_and_accounts_are_found_in_the_fields_that_hold_them():
    assert holds("service-name", "Evil Svc", "evil svc", "ServiceName")
    assert not holds("service-name", "Evil", "evil svc", "ServiceName")
    assert holds("account", "mallory", r"BANK\Mallory", "TargetUserName")
    assert holds("account", "S-1-5-21-7", "s-1-5-21-7", "TargetSid")
    assert not holds("account", "mallory", "mallory", "CommandLine")


def test_hits_carry_the_row_and_the_place():
    looked = [Indicator(kind="file-name", value="evil.exe", note="n"), Indicator(kind="hash", value=HASH)]
    hits = advisories.match(looked, {"windows": windows({"A": "x"}, {"Image": "evil.exe", "Hashes": HASH})})
    assert dict(hits.schema) == HITS
    assert hits.select("kind", "field", "table", "event_id", "terminal", "record_offset").rows() == [
        ("file-name", "Image", "windows", 1, "ATM-1", 1),
        ("hash", "Hashes", "windows", 1, "ATM-1", 1),
    ]


def test_texts_of_other_tables_and_broken_data_are_searched_too():
    door = pl.DataFrame([{"event_id": 5, "activity": "opened", "detail": "by EVIL.EXE"}], schema=BY_NAME["cabinet"].schema)
    broken = windows({}).with_columns(data=pl.lit("{broken evil.exe"))
    hits = advisories.match([Indicator(kind="file-name", value="evil.exe")], {"cabinet": door, "windows": broken})
    assert sorted(hits["table"]) == ["cabinet", "windows"]


def test_rows_of_the_engine_keep_their_corrected_time():
    rows = windows({"A": HASH}).with_columns(at=pl.lit(7, pl.Int64), arrival=pl.lit(9, pl.Int64))
    assert advisories.match([Indicator(kind="hash", value=HASH)], {"windows": rows}).select("at", "arrival").rows() == [(7, 9)]


def test_nothing_is_found_without_indicators_or_rows():
    assert advisories.match([], {"windows": windows({"A": HASH})}).height == 0
    assert advisories.match([Indicator(kind="hash", value=HASH)], {"windows": windows()}).height == 0


PIECES = st.lists(
    st.sampled_from(["evil.exe", "evil", ".exe", "EVIL.EXE", " ", "\\", '"', ".", "a", "é", "-", "_", "\n", "b.ad.exe"])
)


@given(texts=st.lists(PIECES.map("".join), max_size=6))
@settings(max_examples=300, deadline=None)
def test_file_names_are_found_where_a_slow_search_finds_them(texts):
    names = ["evil.exe", "ad.exe"]
    hits = Matcher.of(Indicator(kind="file-name", value=n) for n in names).match({"windows": windows(*({"X": t} for t in texts))})
    slow = {(i, n) for i, t in enumerate(texts) for n in names if stands(n, t.lower())}
    assert set(hits.select("event_id", "value").rows()) == slow


def stands(name: str, text: str) -> bool:
    """Whether a name stands in a text as a whole name, told place by place."""
    for found in re.finditer(f"(?={re.escape(name)})", text):
        before, rest = text[: found.start()][-1:], text[found.start() + len(name) :]
        longer_before = before.isalnum() or before in ("_", "-", ".")
        longer_after = rest[:1].isalnum() or rest[:1] in ("_", "-") or (rest[:1] == "." and rest[1:2].isalnum())
        if not longer_before and not longer_after:
            return True
    return False


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("hash", "abc"), ("hash", "z" * 32), ("file-name", "a"), ("file-name", r"C:\a.exe"), ("registry-key", "Software\\X"),
        ("domain", "localhost"), ("domain", "a b.c"), ("ip", "192.0.2.0/24"), ("ip", "x"), ("account", ""), ("service-name", "s"),
    ],
)  # fmt: skip
def test_a_value_that_is_no_such_thing_is_refused(kind, value):
    with pytest.raises(ValueError, match=r"expected|at least"):
        Indicator(kind=kind, value=value)
