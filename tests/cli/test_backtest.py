"""`jackstop backtest` and the comparison of two evaluations, as a user runs them."""

import json
from pathlib import Path

import pytest
from test_commands import run

import jackstop

RULE = Path(jackstop.__file__).parent / "detections" / "persist_service.yml"


def installed(hour: int, name: str) -> str:
    """A service installed at ATM-0001."""
    told = {
        "@timestamp": f"2026-03-02T{hour:02d}:00:00.000Z",
        "winlog": {
            "channel": "System", "provider_name": "Service Control Manager", "event_id": "7045", "record_id": 40_700 + hour,
            "computer_name": "ATM0001", "event_data": {"ServiceName": name, "ImagePath": "C:\\Temp\\a.exe"},
        },
    }  # fmt: skip
    return json.dumps(told) + "\n"


@pytest.fixture(scope="module")
def night(tmp_path_factory):
    """A night without attacks in which two services are installed."""
    root = tmp_path_factory.mktemp("backtest")
    assert run("simulate", "quiet", "--out", "b", "--hours", "4", "--seed", "3", "--terminals", "2", cwd=root).returncode == 0
    with (root / "b" / "logs" / "windows" / "winlogbeat.json").open("a") as log:
        log.write(installed(5, "one") + installed(7, "two"))
    return root


def told(root: Path, *words: str) -> dict[str, object]:
    """What a backtest says in JSON."""
    done = run("backtest", *words, "--format", "json", cwd=root)
    assert done.stdout, done.stderr
    return json.loads(done.stdout)


def test_a_detection_and_its_own_file_fire_alike_and_firing_at_nothing_leaves_with_1(night):
    by_id, by_file = told(night, "persist.service", "b"), told(night, str(RULE), "b")
    assert [f["detail"] for f in by_id["fires"]] == ["one", "two"]
    assert by_id["fires"] == by_file["fires"]
    assert (by_id["at_nothing"], by_id["by_terminal"]) == (2, {"ATM-0001": 2})
    assert by_id["rate"]["low"] < by_id["rate"]["value"] < by_id["rate"]["high"]
    done = run("backtest", "persist.service", "b", cwd=night)
    assert done.returncode == 1
    assert "fired at nothing" in done.stdout


def test_since_leaves_out_what_was_before(night):
    later = told(night, "persist.service", "b", "--since", "2026-03-02T06:00:00Z")
    assert [f["detail"] for f in later["fires"]] == ["two"]
    assert later["rate"]["days"] < told(night, "persist.service", "b")["rate"]["days"]


def test_a_changed_rule_is_held_against_what_it_fired_before(night):
    (night / "before.json").write_text(json.dumps(told(night, "persist.service", "b")))
    changed = RULE.read_text().replace("EventID: 7045}", "EventID: 7045, ServiceName: two}")
    (night / "changed.yml").write_text(changed)
    compared = told(night, "changed.yml", "b", "--before", "before.json")["against_before"]
    assert (compared["kept"], compared["gained"]) == (1, [])
    assert [e["detail"] for e in compared["lost"]] == ["one"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nope", "b"), "expected one of"),
        (("gone.yml", "b"), "expected a readable rule file"),
        (("bad.yml", "b"), "bad.yml"),
        (("persist.service", "nowhere"), "no such folder"),
        (("persist.service", "b", "--before", "bad.yml"), "expected JSON"),
        (("persist.service", "b", "--before", "empty.json"), "no fires in it"),
    ],
)
def test_a_wrong_use_is_a_clear_line(night, words, said):
    (night / "bad.yml").write_text("title: [")
    (night / "empty.json").write_text("{}")
    done = run("backtest", *words, cwd=night)
    assert done.returncode == 2
    assert said in done.stderr and "Traceback" not in done.stderr


def test_an_evaluation_is_held_against_an_earlier_one(night):
    first = run("evaluate", "b", "--format", "json", cwd=night)
    card = json.loads(first.stdout)
    card["scorecard"]["pages"]["count"] += 7
    (night / "was.json").write_text(json.dumps(card))
    done = run("evaluate", "b", "--before", "was.json", cwd=night)
    assert "against before: 1 changes" in done.stdout
    assert "pages: " in done.stdout
    assert run("evaluate", "b", "--before", "empty.json", cwd=night).returncode == 2


COUNTED = """
title: A service
name: service_made
id: f5263152-bbd0-559c-9ec1-a42bb94e8713
logsource: {product: windows, service: system}
detection: {made: {EventID: 7045}, condition: made}
---
title: Two services within three hours
correlation: {type: event_count, rules: [service_made], group-by: [Computer], timespan: 3h, condition: {gte: 2}}
level: high
"""


def test_a_correlation_without_a_block_of_ours_fires_when_it_is_full(night):
    (night / "counted.yml").write_text(COUNTED)
    (fire,) = told(night, "counted.yml", "b")["fires"]
    assert fire["time"].startswith("2026-03-02T07:0"), "at the second service, by the host's clock"
    assert fire["severity"] == "high"
    (night / "counted.yml").write_text(COUNTED.replace("3h", "1h"))
    assert told(night, "counted.yml", "b")["fires"] == []
