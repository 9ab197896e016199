"""Paths with stars and the terminal's name in them."""

import glob
import os
import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jackstop.intake._pattern import Pattern, check, dated_like


def make(root, *paths):
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(b"x")


def test_files_are_found_with_their_terminal(tmp_path):
    make(
        tmp_path, "atm/A1/x.nwlog", "atm/A1/y.txt", "atm/B2/x.nwlog", "atm/.old/x.nwlog", "atm/A1/.x.nwlog", "atm/A1/deep/x.nwlog"
    )
    found = list(Pattern("atm/{terminal}/*.nwlog", str(tmp_path)).walk())
    assert [(f.relative, f.terminal) for f in found] == [("A1/x.nwlog", "A1"), ("B2/x.nwlog", "B2")]
    assert all(os.path.isfile(f.path) for f in found)


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("atm/EJ_{terminal}_*.log", [("EJ_A1_0301.log", "A1"), ("EJ_B2_0302.log", "B2")]),
        ("atm/EJ_A?_[0-9]*.log", [("EJ_A1_0301.log", None)]),
        ("atm/EJ_[!A]*", [("EJ_B2_0302.log", None)]),
        ("atm/EJ_A1_0301.log", [("EJ_A1_0301.log", None)]),
        ("nowhere/*", []),
    ],
)
def test_signs_mean_what_they_do_in_a_shell(tmp_path, pattern, expected):
    make(tmp_path, "atm/EJ_A1_0301.log", "atm/EJ_B2_0302.log")
    assert [(f.relative, f.terminal) for f in Pattern(pattern, str(tmp_path)).walk()] == expected


def test_links_are_passed_over_unless_they_are_wanted(tmp_path):
    make(tmp_path, "a/x.log")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    (tmp_path / "a" / "y.log").symlink_to("/etc/passwd")
    assert [f.relative for f in Pattern("*/*.log", str(tmp_path)).walk()] == ["a/x.log"]
    assert len(list(Pattern("*/*.log", str(tmp_path), links=True).walk())) == 4


def test_folders_are_found_where_folders_are_wanted(tmp_path):
    make(tmp_path, "in/A1/f", "in/B2/f", "in/file")
    found = Pattern("in/{terminal}", str(tmp_path), folders=True).walk()
    assert [f.terminal for f in found] == ["A1", "B2"]


NAMES = st.text("ab.1[-", min_size=1, max_size=6).filter(lambda n: n not in {".", ".."})


@given(
    names=st.lists(NAMES, max_size=8, unique=True),
    pattern=st.text("ab.1*?", min_size=1, max_size=6).filter(lambda p: "**" not in p),
)
@settings(max_examples=150, deadline=None)
def test_what_fits_is_what_a_shell_finds(tmp_path_factory, names, pattern):
    root = tmp_path_factory.mktemp("glob")
    make(root, *names)
    if pattern in {".", ".."}:
        return
    shell = sorted(p for p in glob.glob(pattern, root_dir=root))
    made = Pattern(pattern, str(root))
    assert [f.relative for f in made.walk()] == shell
    assert [n for n in sorted(names) if made.fits(n)] == shell


@pytest.mark.parametrize("text", ["", "/", "a/**/b", "{terminal}/{terminal}", "{other}/x", "a\0b"])
def test_a_pattern_that_means_nothing_is_refused(text):
    with pytest.raises(ValueError, match="expected"):
        Pattern(text, "/")


@pytest.mark.parametrize(
    ("pattern", "name", "expected", "terminal"),
    [
        ("EJ{date}.jrn", "EJ20260301.jrn", "EJ{date}.jrn", None),
        ("EJ{date}.jrn", "EJ20260301.jrn.gz", "EJ{date}.jrn", None),
        ("EJ{date}.jrn", "EJ26-03-01T10:00.jrn", "EJ{date}.jrn", None),
        ("{date}", "2026", "{date}", None),
        ("{date}", "1" * 32, "{date}", None),
        ("{date}*", "20260301.jrn", "{date}.jrn", None),
        ("*{date}.jrn", "ATM12_2026-03-01.jrn", "ATM12_{date}.jrn", None),
        ("*_{date}.jrn", "ATM_0001_2026_03_01.jrn", "ATM_0001_{date}.jrn", None),
        ("*_{date}_*.jrn", "A_20260301_B.jrn", "A_{date}_B.jrn", None),
        ("{terminal}_{date}.jrn", "ATM_2001_20260301.jrn", "ATM_2001_{date}.jrn", "ATM_2001"),
        ("{terminal}{date}.jrn", "ATM0120260301.jrn", "ATM01{date}.jrn", "ATM01"),
        ("{date}_{terminal}.jrn", "20260301_A1.jrn", "{date}_A1.jrn", "A1"),
        ("EJ{date}.jrn", "EJ202.jrn", None, None),
        ("EJ{date}.jrn", "EJ-20260301.jrn", None, None),
        ("EJ{date}.jrn", "EJ{date}.jrn", None, None),
        ("EJ{date}.jrn", "EJtoday.jrn", None, None),
        ("{date}", "1" * 33, None, None),
    ],
)
def test_a_date_is_digits_and_signs_between(tmp_path, pattern, name, expected, terminal):
    make(tmp_path, f"a/{name}")
    made = Pattern(f"a/{pattern}", str(tmp_path))
    assert [(f.relative, f.terminal, f.files) for f in made.walk()] == ([(expected, terminal, (name,))] if expected else [])
    if expected:
        assert dated_like(name.removesuffix(".gz"), expected)
        assert made.terminal(expected) == terminal


def test_files_that_differ_in_their_date_are_found_as_one(tmp_path):
    make(tmp_path, "A1/EJ20260302.jrn", "A1/EJ20260301.jrn.gz", "A1/HW20260301.jrn", "B2/EJ20260301.jrn", "B2/EJ.jrn")
    (tmp_path / "B2" / "EJ20260302.jrn").mkdir()
    assert [(f.path, f.relative, f.terminal, f.files) for f in Pattern("{terminal}/*{date}.jrn", str(tmp_path)).walk()] == [
        (f"{tmp_path}/A1/EJ{{date}}.jrn", "A1/EJ{date}.jrn", "A1", ("EJ20260301.jrn.gz", "EJ20260302.jrn")),
        (f"{tmp_path}/A1/HW{{date}}.jrn", "A1/HW{date}.jrn", "A1", ("HW20260301.jrn",)),
        (f"{tmp_path}/B2/EJ{{date}}.jrn", "B2/EJ{date}.jrn", "B2", ("EJ20260301.jrn",)),
    ]


def test_a_folder_of_dated_files_is_listed_only_when_it_changed(tmp_path, monkeypatch):
    make(tmp_path, "A1/EJ20260301.jrn")
    os.utime(tmp_path / "A1", (10**9, 10**9))
    made, listed, scandir = Pattern("A1/EJ{date}.jrn", str(tmp_path)), [], os.scandir
    monkeypatch.setattr(os, "scandir", lambda folder: listed.append(folder) or scandir(folder))
    for _ in range(3):
        assert [f.files for f in made.walk()] == [("EJ20260301.jrn",)]
    assert len(listed) == 1
    make(tmp_path, "A1/EJ20260302.jrn")
    for _ in range(3):
        assert [f.files for f in made.walk()] == [("EJ20260301.jrn", "EJ20260302.jrn")]
    assert len(listed) == 4, "a folder that changed just now may change again within the same tick of its time"
    os.utime(tmp_path / "A1", (10**9, 10**9))
    list(made.walk())
    make(tmp_path, "A1/EJ20260303.jrn")
    os.utime(tmp_path / "A1", (10**9, 10**9))
    assert len(next(made.walk()).files) == 2
    monkeypatch.setattr(time, "monotonic", lambda now=time.monotonic: now() + 1200)
    assert len(next(made.walk()).files) == 3, "not every file system tells that a folder changed"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{date}/x.jrn", "in the file's name, not in a folder's"),
        ("EJ{date}_{date}.jrn", "expected {date} once at most"),
        ("{day}.jrn", "expected {terminal} and {date} once at most, and no other braces"),
    ],
)
def test_where_a_date_may_not_stand_is_told(text, told):
    with pytest.raises(ValueError, match=re.escape(told)) as fault:
        check(text, dated=True)
    assert "\n" not in str(fault.value)


def test_a_date_stands_only_where_files_are_followed():
    for make_it in (lambda: check("EJ{date}.jrn"), lambda: Pattern("in/{date}", "/", folders=True)):
        with pytest.raises(ValueError, match="no other braces"):
            make_it()


def test_a_long_name_costs_little():
    began = time.perf_counter()
    Pattern("*a*a*a*a*a*b", "/").fits("a" * 255)
    for pattern in ("*{date}b", "*1*1*1*{date}*1*1b", "{terminal}{date}_b"):
        Pattern(pattern, "/").fits("1" * 255)
        Pattern(pattern, "/").fits("1_" * 127)
    assert time.perf_counter() - began < 0.5
