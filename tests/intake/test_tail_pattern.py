"""Paths with stars and the terminal's name in them."""

import glob
import os
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jackstop.intake._pattern import Pattern


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


def test_a_long_name_costs_little():
    began = time.perf_counter()
    Pattern("*a*a*a*a*a*b", "/").fits("a" * 255)
    assert time.perf_counter() - began < 0.5
