"""`jackstop advisories` and `jackstop hunt`, as a user runs them."""

import hashlib
import json

import pytest
from test_commands import run

INSTALLED = {
    "@timestamp": "2026-03-02T05:00:00.000Z",
    "winlog": {
        "channel": "System",
        "provider_name": "Service Control Manager",
        "event_id": "7045",
        "record_id": 40_700,
        "computer_name": "ATM0001",
        "event_data": {"ServiceName": "Updater", "ImagePath": "C:\\Temp\\Upd4te.exe -k"},
    },
}
"""A service installed from a folder anyone may write to."""


@pytest.fixture(scope="module")
def night(tmp_path_factory):
    """A simulated malware night with one service more."""
    root = tmp_path_factory.mktemp("hunt")
    assert (
        run("simulate", "usb-malware", "--out", "b", "--hours", "3", "--seed", "3", "--terminals", "2", cwd=root).returncode == 0
    )
    with (root / "b" / "logs" / "windows" / "winlogbeat.json").open("a") as log:
        log.write(json.dumps(INSTALLED) + "\n")
    return root


def test_coverage_says_which_techniques_are_seen_and_by_what(tmp_path):
    (told,) = json.loads(run("advisories", "coverage", "FLASH-20260219-001", "--format", "json", cwd=tmp_path).stdout)
    native = next(t for t in told["techniques"] if t["id"] == "T1106")
    assert native["covered"]
    assert {"detection", "tests", "needs", "level"} == native["by"][0].keys()
    assert told["uncovered"]
    assert run("advisories", "coverage", "--lang", "ja", cwd=tmp_path).stdout.count("検知できます") == 1


def test_an_advisory_is_listed_and_shown_in_both_languages(tmp_path):
    assert "FLASH-20260219-001" in run("advisories", "list", cwd=tmp_path).stdout
    assert "Within 7 days" in run("advisories", "show", "FLASH-20260219-001", cwd=tmp_path).stdout
    assert "7日以内" in run("advisories", "show", "FLASH-20260219-001", "--lang", "ja", cwd=tmp_path).stdout


@pytest.mark.parametrize("words", [("show", "NOPE"), ("coverage", "NOPE"), ("show", "no.toml")])
def test_an_unknown_advisory_is_wrong_usage(tmp_path, words):
    done = run("advisories", *words, cwd=tmp_path)
    assert done.returncode == 2
    assert "expected" in done.stderr and "Traceback" not in done.stderr


def toml(kind: str, value: str) -> str:
    """An advisory with one indicator."""
    head = 'id = "A"\ndate = 2026-01-01\ntitle = { en = "T" }\n[[indicator]]\n'
    return head + f"kind = {json.dumps(kind)}\nvalue = {json.dumps(value)}\n"


def test_a_hunt_finds_a_file_by_its_name_with_the_record_it_stands_in(night):
    (night / "a.toml").write_text(toml("file-name", "upd4te.EXE"))
    done = run("hunt", "b", "--advisory", "a.toml", "--format", "json", cwd=night)
    hits = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 1 and hits, done.stderr
    record = hits[0]["record"]
    raw = (night / "b" / record["path"]).read_bytes()[record["offset"] : record["offset"] + record["length"]]
    assert hashlib.sha256(raw).hexdigest() == record["sha256"]
    assert json.loads(raw) == INSTALLED
    assert hits[0]["terminal"] == "ATM-0001"


def test_a_hunt_for_what_is_not_there_leaves_with_0_and_for_nothing_says_so(night):
    (night / "none.toml").write_text(toml("hash", "0" * 64))
    done = run("hunt", "b", "--advisory", "none.toml", cwd=night)
    assert (done.returncode, done.stdout) == (0, "")
    assert "0 hits" in done.stderr
    assert "nothing is looked for" in run("hunt", "b", "--advisory", "FLASH-20260219-001", cwd=night).stderr
