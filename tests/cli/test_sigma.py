"""`jackstop detections test --sigma` as a user runs it."""

import json
import subprocess
import sys

import pytest

RULE = """title: Odd service
id: 11111111-1111-4111-8111-111111111111
name: odd
author: Ann Author
license: DRL-1.1
level: high
tags: [attack.t1543.003]
logsource: {product: windows, service: system}
detection:
  s: {EventID: 7045, ServiceName|startswith: odd}
  condition: s
"""
SERIES = """title: Many odd services
id: 21111111-1111-4111-8111-111111111111
correlation: {type: event_count, rules: [odd], group-by: [Computer], timespan: 1h, condition: {gte: 2}, generate: true}
"""
LOOKAHEAD = RULE.replace("1111-4111", "2222-4111").replace("name: odd", "name: ahead").replace("|startswith: odd", "|re: '(?=x)'")


def run(*words):
    command = [sys.executable, "-m", "jackstop", "detections", "test", *map(str, words)]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=300)


@pytest.fixture
def folder(tmp_path):
    rules = tmp_path / "rules" / "deep"
    rules.mkdir(parents=True)
    (rules / "odd.yml").write_text(RULE)
    (rules / "series.yml").write_text(SERIES)
    (rules / "ahead.yml").write_text(LOOKAHEAD)
    (rules / "linux.yml").write_text(RULE.replace("product: windows", "product: linux").replace("1111-4111", "3333-4111"))
    lines = []
    for i, name in enumerate(("odd-one", "even", "ODD-two")):
        said = {"channel": "System", "provider_name": "Service Control Manager", "event_id": "7045", "record_id": i}
        said |= {"computer_name": "ATM1", "event_data": {"ServiceName": name}}
        lines.append(json.dumps({"@timestamp": f"2026-03-01T02:0{i}:00.000Z", "event": {"code": "7045"}, "winlog": said}))
    (tmp_path / "beat.json").write_text("\n".join(lines) + "\n")
    return tmp_path


def test_it_says_what_runs_what_does_not_and_what_is_found_with_the_author(folder):
    done = run("--sigma", folder / "rules", "--on", folder / "beat.json")
    assert done.returncode == 0, done.stderr
    assert "4 rules; 3 valid and of a log source known here; 2 of those run (66.7%)" in done.stdout
    assert "(?=x)" in done.stdout
    assert "3 Windows events in 1 files; 3 hits of 2 rules" in done.stdout
    assert "Ann Author" in done.stdout


def test_the_same_as_json(folder):
    done = run("--sigma", folder / "rules", "--on", folder / "beat.json", "--format", "json")
    said = json.loads(done.stdout)
    assert (said["documents"], said["known"], said["running"], said["events"]) == (4, 3, 2, 3)
    assert said["refused"] == {"regex": 1, "source": 1}
    assert [(f["path"], f["line"], f["kind"]) for f in said["faults"]] == [
        ("deep/ahead.yml", 10, "regex"),
        ("deep/linux.yml", 8, "source"),
    ]
    first, second = said["hits"]
    assert (first["rule"][:2], first["count"], first["files"], first["author"]) == ("11", 2, {"beat.json": 2}, "Ann Author")
    assert (first["attack"], first["license"], second["title"], second["count"]) == (
        ["T1543.003"],
        "DRL-1.1",
        "Many odd services",
        1,
    )


def test_a_folder_without_rules_and_a_file_of_no_format_are_one_line_each(folder):
    (folder / "empty").mkdir()
    done = run("--sigma", folder / "empty")
    assert done.returncode == 2 and "no rule file" in done.stderr and done.stderr.count("\n") == 1
    (folder / "x.bin").write_bytes(b"\x00\x01")
    done = run("--sigma", folder / "rules", "--on", folder / "x.bin")
    assert done.returncode == 2 and "no format fits" in done.stderr
