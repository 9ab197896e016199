"""The commands as a user runs them: outputs, exit codes, one line for each fault."""

import json
import re
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

RECORD = {
    "type": "object",
    "required": ["path", "offset", "length", "sha256"],
    "properties": {"sha256": {"pattern": "^[0-9a-f]{64}$"}, "offset": {"type": "integer"}},
}
VERDICT = {
    "type": "object",
    "required": [
        *("id", "terminal", "kind", "time", "currency", "picked", "presented", "retained", "verdict", "reason", "explained_by"),
        *("sources_missing", "clock", "decided_at", "records"),
    ],
    "properties": {
        "kind": {"enum": ["episode", "balance", "authorisation"]},
        "time": {"pattern": "Z$"},
        "records": {"type": "array", "items": RECORD, "minItems": 1},
    },
}
ALERT = {
    "type": "object",
    "required": [
        *(
            "id",
            "terminals",
            "severity",
            "title",
            "detections",
            "attack",
            "first_event",
            "raised_at",
            "updated_at",
            "unexplained",
        ),
        *("money_at_risk", "currency", "visits", "verdicts", "records"),
    ],
    "properties": {"severity": {"enum": ["info", "low", "medium", "high", "critical"]}},
}


def run(*words: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "jackstop", *words], capture_output=True, text=True, cwd=cwd, check=False)


@pytest.fixture(scope="module")
def night(tmp_path_factory) -> Path:
    """A simulated malware night, investigated."""
    root = tmp_path_factory.mktemp("night")
    assert run("simulate", "usb-malware", "--out", "b", "--hours", "8", "--seed", "3", cwd=root).returncode == 0
    done = run("investigate", "b", "--out", "r", cwd=root)
    assert done.returncode == 1, done.stderr
    (root / "stdout.txt").write_text(done.stdout)
    return root


def test_what_comes_out_is_what_the_contract_says(night):
    verdicts = [json.loads(line) for line in (night / "r" / "verdicts.jsonl").read_text().splitlines()]
    alerts = [json.loads(line) for line in (night / "r" / "alerts.jsonl").read_text().splitlines()]
    for verdict in verdicts:
        jsonschema.validate(verdict, VERDICT)
    for alert in alerts:
        jsonschema.validate(alert, ALERT)
    assert any(a["severity"] == "critical" and "dispense.unexplained" in a["detections"] for a in alerts)
    assert json.loads((night / "r" / "coverage.json").read_text())


def test_every_record_cited_is_found_in_the_log_with_its_digest(night):
    import hashlib

    alerts = [json.loads(line) for line in (night / "r" / "alerts.jsonl").read_text().splitlines()]
    cited = [r for a in alerts for r in a["records"] if r["length"]]
    assert cited
    for record in cited:
        data = (night / "b" / record["path"]).read_bytes()[record["offset"] : record["offset"] + record["length"]]
        assert hashlib.sha256(data).hexdigest() == record["sha256"], record


def test_the_truth_agrees(night):
    done = run("evaluate", "b", "--format", "json", cwd=night)
    score = json.loads(done.stdout)
    assert done.returncode == 0, done.stdout
    assert (score["precision"], score["recall"], score["false_alarms"]) == (1, 1, [])
    (story,) = (s for s in score["stories"] if s["attack"])
    assert story["judged"] == story["movements"] > 0
    assert score["pages_before_first_note"] == int(story["early"])
    assert story["early"] == (story["to_alert_s"] < 0)


def test_the_same_bundle_is_answered_from_the_store_and_a_report_is_rebuilt(night):
    before = (night / "r" / "verdicts.jsonl").read_bytes()
    again = run("investigate", "b", "--out", "r", cwd=night)
    assert "earlier results" in again.stderr
    (night / "r" / "report.html").unlink()
    assert run("report", "r", "--lang", "ja", cwd=night).returncode == 0
    assert (night / "r" / "verdicts.jsonl").read_bytes() == before
    assert '<html lang="ja"' in (night / "r" / "report.html").read_text("utf-8")


def test_fail_on_sets_the_exit_code(night):
    assert run("simulate", "quiet", "--out", "q", "--terminals", "2", "--hours", "3", cwd=night).returncode == 0
    assert run("investigate", "q", "--out", "qr", cwd=night).returncode == 0


def test_stdout_is_data_and_has_no_colours_when_piped(night):
    assert "\x1b[" not in (night / "stdout.txt").read_text()
    told = json.loads(run("investigate", "b", "--out", "r", "--format", "json", cwd=night).stdout)
    assert {"alerts", "coverage", "out"} <= told.keys()


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("investigate", "nowhere"), 2, "no such folder"),
        (("investigate",), 2, "Missing argument"),
        (("formats", "show", "nope"), 2, "expected one of"),
        (("formats", "try", "nowhere.log"), 2, "expected a readable file"),
        (("detections", "show", "nope"), 2, "expected one of"),
        (("simulate", "nope", "--out", "x"), 2, "expected one of"),
        (("report", "nowhere"), 3, "no such file"),
        (("alerts", "nowhere"), 3, "no such file"),
        (("kpi", "nowhere"), 3, "no such file"),
        (("alerts", "--to", "leet"), 2, "cef, ecs, leef, ocsf"),
        (("evaluate", "."), 2, "truth.jsonl"),
    ],
)
def test_a_wrong_use_is_one_clear_line_and_the_right_exit_code(tmp_path, words, code, told):
    done = run(*words, cwd=tmp_path)
    assert done.returncode == code
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_formats_try_says_what_a_file_is(night):
    (log,) = (night / "b" / "logs" / "panel").iterdir()
    told = json.loads(run("formats", "try", str(log), "--format", "json", cwd=night).stdout)
    assert told["format"] == "cef"
    assert told["tally"]["refused"] == 0
    assert told["sample"]["cabinet"]


def test_damaged_logs_are_told_and_the_rest_is_decided(night, tmp_path):
    import shutil

    shutil.copytree(night / "b", tmp_path / "b")
    (tmp_path / "b" / "logs" / "panel" / "alarms.log").write_bytes(bytes(range(256)) * 4000 + b"\n" + b"x" * (3 << 20))
    done = run("investigate", "b", "--out", "r", cwd=tmp_path)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    coverage = (tmp_path / "r" / "coverage.json").read_text()
    assert "alarms.log" in coverage
    alerts = (tmp_path / "r" / "alerts.jsonl").read_text()
    assert "dispense.unexplained" in alerts


def test_doctor_and_lists_run(night):
    done = run("doctor", "b", "--out", "r", cwd=night)
    assert done.returncode in {0, 1}
    assert "good" in done.stdout
    for words in (
        ("formats", "list"),
        ("detections", "list"),
        ("detections", "coverage"),
        ("schema",),
        ("--version",),
        ("--help",),
    ):
        assert run(*words, cwd=night).returncode == 0


def test_doctor_says_where_a_declared_zone_cannot_be_right(tmp_path):
    assert run("simulate", "quiet", "--out", "b", "--terminals", "4", "--hours", "12", cwd=tmp_path).returncode == 0
    fleet = tmp_path / "b" / "fleet.toml"
    fleet.write_text(re.sub(r'timezone = "America/\w+"', 'timezone = "Asia/Tokyo"', fleet.read_text()))
    run("investigate", "b", "--out", "r", cwd=tmp_path)
    done = run("doctor", "b", "--out", "r", cwd=tmp_path)
    assert "clock not known" in done.stdout
    assert "check the source's timezone" in done.stdout


def test_alerts_leave_in_the_shape_another_system_takes(night):
    told = run("alerts", "r", "--to", "ocsf", "--at-least", "high", cwd=night)
    events = [json.loads(line) for line in told.stdout.splitlines()]
    assert told.returncode == 0
    assert events and all(e["class_uid"] == 2004 and e["severity_id"] >= 4 for e in events)
    assert run("alerts", "r", "--to", "cef", "--out", "a.cef", cwd=night).returncode == 0
    lines = (night / "a.cef").read_text("utf-8").splitlines()
    alerts = [json.loads(line) for line in (night / "r" / "alerts.jsonl").read_text().splitlines()]
    assert [line.split("externalId=")[1].split(" ")[0] for line in lines] == [a["id"] for a in alerts]


def test_kpi_shows_the_measures_of_an_investigation(night):
    told = json.loads(run("kpi", "r", "--format", "json", cwd=night).stdout)
    verdicts = [json.loads(line) for line in (night / "r" / "verdicts.jsonl").read_text().splitlines()]
    bad = [v for v in verdicts if v["verdict"] in {"unexplained", "contradicted"} and v["kind"] != "authorisation"]
    assert sum(h["unexplained"] for h in told["hours"]) == sum(v["picked"] for v in bad) > 0
    assert told["drifts"] and told["ratio"] > 1
    assert "EWMA" in run("kpi", "r", cwd=night).stdout
    assert "継続指標" in run("report", "r", "--lang", "ja", cwd=night).stdout + (night / "r" / "report.html").read_text("utf-8")
