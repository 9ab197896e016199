"""Rules over log files, side by side: the same as one after the other, however files are cut."""

import gzip
import json
from pathlib import Path

import pytest

from jackstop import rules
from jackstop.runners import search

REAL = Path(__file__).parents[3] / "shared" / "evtx"
RULES = """title: Some code
id: 11111111-1111-4111-8111-111111111111
name: some
logsource: {product: windows}
detection:
  s: {EventID: [1, 13, 4624, 4688, 5145, 7036, 7045]}
  condition: s
---
title: Many of them
id: 21111111-1111-4111-8111-111111111111
correlation: {type: event_count, rules: [some], group-by: [Computer], timespan: 1h, condition: {gte: 5}, generate: true}
"""


def beat(path, count):
    lines = []
    for i in range(count):
        said = {"channel": "System", "provider_name": "Service Control Manager", "event_id": "7045", "record_id": i}
        said |= {"computer_name": "ATM1", "event_data": {"ServiceName": "x" * 200}}
        lines.append(json.dumps({"@timestamp": f"2026-03-01T02:00:00.{i % 1000:03}Z", "winlog": said}))
    text = ("\n".join(lines) + "\n").encode()
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)
    return search.Log(path, "winlogbeat")


def told(logs, jobs):
    seen = []
    found = search.search(rules.load({"a.yml": RULES}), logs, jobs, lambda done, total: seen.append((done, total)))
    assert not seen or seen[-1][0] == seen[-1][1]
    return found


def test_packed_and_plain_files_are_read_to_their_end(tmp_path):
    found = told([beat(tmp_path / "a.json", 30_000), beat(tmp_path / "b.json.gz", 30_000)], 1)
    assert found.events == 60_000
    assert found.hits["11111111-1111-4111-8111-111111111111"] == {"a.json": 30_000, "b.json.gz": 30_000}


def test_processes_find_what_one_finds(tmp_path, monkeypatch):
    monkeypatch.setattr(search, "SMALL", 0)
    logs = [beat(tmp_path / f"{n}.json", 9_000) for n in "abc"]
    assert told(logs, 2) == told(logs, 1)


@pytest.mark.skipif(not REAL.is_dir(), reason="the shared event logs are not here")
@pytest.mark.parametrize("width", [1 << 16, 3 << 16, 1 << 30])
def test_an_event_log_cut_into_ranges_gives_every_event_once(monkeypatch, width):
    path = max(REAL.rglob("*.evtx"), key=lambda p: p.stat().st_size)
    whole = told([search.Log(path, "evtx")], 1)
    monkeypatch.setattr(search, "RANGE", width)
    assert told([search.Log(path, "evtx")], 1) == whole
    assert whole.events > 1000
