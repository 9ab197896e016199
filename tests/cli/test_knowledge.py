"""A bundle's own detections and advisories, as a user meets them."""

import json
import subprocess
import sys

import pytest

FLEET = """[fleet]
name = "x"
timezone = "UTC"
currency = "USD"
[[terminal]]
id = "ATM-0001"
hostname = "ATM0001"
[[source]]
path = "logs/*.json"
format = "winlogbeat"
"""
RULE = """title: Odd service
id: 11111111-1111-4111-8111-111111111111
tags: [attack.t1543.003]
logsource: {product: windows, service: system}
detection:
  s: {EventID: 7045, ServiceName|startswith: odd}
  condition: s
fields: [ServiceName]
level: high
x-jackstop:
  title: {en: An odd service, ja: 不審なサービス}
  why: {en: It is odd., ja: 不審です。}
  first_step: {en: Look., ja: 確認してください。}
  needs: [windows]
  gaps: none known
  tests:
    - name: an odd one
      fires: true
      rows: [{at: 0, channel: System, code: 7045, data: {ServiceName: odd1}}]
    - name: another
      fires: false
      rows: [{at: 0, channel: System, code: 7045, data: {ServiceName: even}}]
"""
ADVISORY = """id = "BANK-1"
date = 2026-07-01
title = { en = "A tool" }
[[source]]
key = "cert"
name = "CERT"
[scores]
from = "cert"
scale = 1
impact = 1
novelty = 1
nearness = 1
call_to_act = 1
[[indicator]]
kind = "file-name"
value = "listed.exe"
"""


def run(*words):
    command = [sys.executable, "-m", "jackstop", *map(str, words)]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=300)


@pytest.fixture
def bundle(tmp_path):
    root = tmp_path / "bundle"
    for folder in ("logs", "detections", "advisories"):
        (root / folder).mkdir(parents=True)
    (root / "fleet.toml").write_text(FLEET)
    (root / "detections" / "site_odd.yml").write_text(RULE)
    (root / "advisories" / "bank.toml").write_text(ADVISORY)
    lines = []
    for i, name in enumerate(("odd1", "even", r"C:\\x\\listed.exe")):
        said = {"channel": "System", "event_id": "7045", "record_id": i, "computer_name": "ATM0001"}
        said["event_data"] = {"ServiceName": name}
        lines.append(json.dumps({"@timestamp": f"2026-03-01T02:0{i}:00.000Z", "winlog": said}))
    (root / "logs" / "a.json").write_text("\n".join(lines) + "\n")
    return root


def test_what_the_bank_adds_is_found_beside_what_is_shipped(bundle, tmp_path):
    done = run("investigate", bundle, "--out", tmp_path / "out", "--format", "json")
    assert done.returncode == 1, done.stderr
    alerts = [json.loads(line) for line in (tmp_path / "out" / "alerts.jsonl").read_text().splitlines()]
    named = {d for a in alerts for d in a["detections"]}
    assert {"site.odd", "tool.known-bad"} <= named
    assert any(a["title"] == "An odd service" or "site.odd" in a["detections"] for a in alerts)


def test_doctor_says_whether_a_detection_of_ones_own_holds(bundle):
    said = run("doctor", bundle).stdout
    assert "detection site.odd, its cases hold" in said
    assert "1 indicators are looked for" in said
    (bundle / "detections" / "site_odd.yml").write_text(RULE.replace("startswith: odd", "startswith: other"))
    done = run("doctor", bundle)
    assert done.returncode == 1
    assert "must fire and did not" in done.stdout


@pytest.mark.parametrize("command", [("investigate",), ("doctor",)])
def test_faults_of_a_detection_of_ones_own_are_told_with_their_lines(bundle, command, tmp_path):
    (bundle / "detections" / "site_odd.yml").write_text(RULE.replace("level: high", "level: loud"))
    done = run(*command, bundle, "--out", tmp_path / "out")
    assert done.returncode in {1, 2}
    assert "detections/site_odd.yml:" in done.stdout + done.stderr
    assert "loud" in done.stdout + done.stderr
