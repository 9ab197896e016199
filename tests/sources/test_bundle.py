"""Bundles: what is wrong is said in one line each, and the rest is used all the same."""

import gzip
from pathlib import Path

import pytest

from jackstop.sources import bundle
from jackstop.sources.fleet_file import BundleError

FLEET = """[fleet]
name = "T"
timezone = "UTC"
currency = "USD"

[[terminal]]
id = "ATM-1"
luno = "001"
cassettes = [ { unit = 1, type = 1, value = 2000, count = 100 } ]

[[source]]
path = "logs/host.csv"
format = "switch-csv"
latency = "2s"
"""
HOST = "time,terminal_id,type,amount,response\n2026-03-01T02:00:00Z,A1,withdrawal,2000,00\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "logs").mkdir()
    (tmp_path / "fleet.toml").write_text(FLEET)
    (tmp_path / "logs" / "host.csv").write_text(HOST)
    return tmp_path


def faults(root: Path) -> list[str]:
    with pytest.raises(BundleError) as caught:
        bundle.load(root)
    return list(caught.value.faults)


def test_a_good_bundle_has_its_files_and_no_warning(root):
    loaded = bundle.load(root)
    assert [(f.name, f.format, f.latency) for f in loaded.files] == [("logs/host.csv", "switch-csv", 2_000_000)]
    assert loaded.warnings == ()


@pytest.mark.parametrize(
    ("old", "new", "line", "word"),
    [
        ('luno = "001"', 'lunno = "001"', 8, "unknown key"),
        ("value = 2000", "value = -1", 9, "greater than 0"),
        ('timezone = "UTC"', 'timezone = "Mars/Base"', 3, "unknown time zone"),
        ('latency = "2s"', 'latency = "two"', 14, "not a duration"),
        ('currency = "USD"', "", 1, "missing"),
        ('format = "switch-csv"', 'terminal = "ATM-9"', 13, "not in this fleet"),
        ('id = "ATM-1"', 'id = "ATM-1', 7, "expected TOML"),
    ],
)
def test_a_fault_in_fleet_toml_is_told_with_its_line(root, old, new, line, word):
    (root / "fleet.toml").write_text(FLEET.replace(old, new, 1))
    (told,) = faults(root)
    assert f"fleet.toml:{line}:" in told
    assert word in told


def test_every_fault_is_told_at_once(root):
    (root / "fleet.toml").write_text(FLEET.replace("unit = 1", "unit = 0").replace("count = 100", "kount = 100"))
    assert len(faults(root)) == 3


def test_two_terminals_with_one_name_are_a_contradiction(root):
    (root / "fleet.toml").write_text(FLEET + '[[terminal]]\nid = "ATM-2"\nluno = "001"\n')
    (told,) = faults(root)
    assert "luno '001' already belongs to ATM-1" in told


@pytest.mark.parametrize("path", ["../secrets", "/etc/passwd", "logs/../../x"])
def test_a_source_cannot_leave_the_bundle(root, path):
    (root / "fleet.toml").write_text(FLEET.replace("logs/host.csv", path))
    assert "inside the bundle" in faults(root)[0]


def test_a_link_that_leaves_the_bundle_is_left_out_with_a_warning(root, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside") / "x.csv"
    outside.write_text(HOST)
    (root / "logs" / "link.csv").symlink_to(outside)
    (root / "fleet.toml").write_text(FLEET.replace("logs/host.csv", "logs/*.csv"))
    loaded = bundle.load(root)
    assert [f.name for f in loaded.files] == ["logs/host.csv"]
    assert "leads outside" in loaded.warnings[0]


def test_a_missing_file_and_an_unknown_one_are_warnings(root):
    (root / "fleet.toml").write_text(FLEET + '[[source]]\npath = "logs/none.log"\n[[source]]\npath = "logs/odd.bin"\n')
    (root / "logs" / "odd.bin").write_bytes(bytes(range(256)) * 10)
    loaded = bundle.load(root)
    assert [f.name for f in loaded.files] == ["logs/host.csv"]
    assert ["no file matches" in w or "not recognised" in w for w in loaded.warnings] == [True, True]


def test_a_format_is_told_from_content_and_packed_files_are_unpacked(root):
    (root / "fleet.toml").write_text(FLEET.replace('format = "switch-csv"\n', "").replace("host.csv", "host.csv.gz"))
    with gzip.open(root / "logs" / "host.csv.gz", "wt") as file:
        file.write(HOST)
    (file,) = bundle.load(root).files
    assert file.format == "switch-csv"
    assert b"".join(bundle.pieces(file.path, 7)) == HOST.encode()


def test_a_bad_line_of_visits_is_a_warning_with_its_line(root):
    header = "terminal,kind,work_order,start,end,people,permits,expected_in,expected_out"
    good = "ATM-1,cit,W1,2026-03-01T10:00:00Z,2026-03-01T11:00:00Z,x,open-safe,,"
    (root / "visits.csv").write_text(f"{header}\n{good}\n{good.replace('cit', 'party')}\n")
    loaded = bundle.load(root)
    assert loaded.visits["work_order"].to_list() == ["W1"]
    assert loaded.warnings[0].startswith("visits.csv:3:")


@pytest.mark.parametrize("data", [b"\xff\xfe\x00", b"", b"[fleet", b"a = " + b"[" * 5000])
def test_any_bytes_of_fleet_toml_give_a_typed_refusal(root, data):
    (root / "fleet.toml").write_bytes(data)
    assert all("fleet.toml" in line for line in faults(root))
