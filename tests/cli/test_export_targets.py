"""Our rules through the backends that users have, in the environment `make test` sets up for them."""

import json
import os
import subprocess
import sys

import pytest

from jackstop import detections, export

PYTHON = os.environ.get("JACKSTOP_SIEM")
WORDS = {"splunk": "EventCode=7045", "elasticsearch": "7045", "opensearch": "7045", "kusto": "7045"}


@pytest.mark.skipif(PYTHON is None, reason="JACKSTOP_SIEM names no environment with the backends: make test does")
@pytest.mark.parametrize("target", export.TARGETS)
def test_every_rule_of_ours_becomes_a_query_or_has_a_reason(target, tmp_path):
    command = [sys.executable, "-m", "jackstop", "detections", "export", "--to", target, "--with", PYTHON, "--folded"]
    done = subprocess.run([*command, "--out", str(tmp_path)], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    told = json.loads((tmp_path / "export.json").read_text())
    written = {q["rule"] for q in told["queries"]}
    assert len(written) >= 8
    assert len(written) + len(told["refused"]) == len(detections.shipped())
    assert all(r["reason"] for r in told["refused"])
    assert WORDS[target] in next(tmp_path.glob("persist.service.*")).read_text()
