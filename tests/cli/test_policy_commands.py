"""`jackstop policy check` and `jackstop policy backtest`, as a user runs them; over a bundle and over the live history alike."""

import contextlib
import json
from dataclasses import replace

import polars as pl
import pytest
import typer
from test_hunt_live import decided, put_away
from typer.testing import CliRunner

from jackstop import simulator
from jackstop.cli import policy
from jackstop.model.results import VERDICTS
from jackstop.sources.bundle import BundleError
from jackstop.store.database import Database, default_url
from jackstop.store.decisions import put_facts
from jackstop.store.live import Live

POLICY = """
[interlock]
mode = "enforce"
[interlock.payout_hours]
answer = "off"
[safety]
lock_after_door = "10m"
"""


@pytest.fixture(scope="module")
def night(tmp_path_factory):
    """A simulated malware night, its bundle and its live history."""
    root = tmp_path_factory.mktemp("policy")
    simulator.simulate("usb-malware", root / "b", 2, 3, 3)
    report = put_away(root)
    with contextlib.closing(Database(default_url(root / "data"))) as database:
        live = Live(database)
        nothing = decided(live.committed() + 1, pl.DataFrame(schema=VERDICTS))
        live.commit(replace(nothing, alerts=[d.alert for d in report.dossiers]))
    (root / "jackstop.toml").write_text('policy = "p.toml"\n[service]\nfleet = "b/fleet.toml"\n')
    (root / "p.toml").write_text(POLICY)
    return root


@pytest.fixture
def said(night, monkeypatch):
    """Runs a command in the night's folder; gives its result."""
    monkeypatch.chdir(night)
    app = typer.Typer()
    policy.add(app)
    app.command("other")(lambda: None)
    return lambda *words: CliRunner().invoke(app, ["policy", *words])


def test_a_bundle_and_the_live_history_of_it_are_judged_alike(said):
    done = said("backtest", "p.toml", "b", "--format", "json")
    assert done.exit_code == 0, done.output
    bundle = json.loads(done.stdout)
    live = json.loads(
        said("backtest", "p.toml", "--config", "jackstop.toml", "--since", "2026-03-01T00:00:00Z", "--format", "json").stdout
    )
    assert bundle["held"]["theft"]["count"] > 0
    for key in ("held", "asked", "never_asked", "rules", "policy"):
        assert live[key] == bundle[key], key
    assert [e["verdict"] for e in live["each"]] == [e["verdict"] for e in bundle["each"]]


def test_people_see_what_was_stopped_and_who_was_hurt_by_which_rule(said):
    done = said("backtest", "p.toml", "b", "--most", "1", "--reset-after", "1m")
    assert done.exit_code == 0, done.output
    assert (
        "stopped: " in done.stdout and "door-open" in done.stdout and "A payout that does not ask is not stopped" in done.stdout
    )
    short = json.loads(said("backtest", "p.toml", "b", "--reset-after", "1m", "--format", "json").stdout)
    long = json.loads(said("backtest", "p.toml", "b", "--reset-after", "9h", "--format", "json").stdout)
    assert short["held"]["customer"]["count"] <= long["held"]["customer"]["count"]


def test_check_tells_what_differs_and_leaves_with_1(said, night):
    path = night / "b" / "inventory.csv"
    path.write_text("terminal,setting,value,observed_at\nATM-0001,lock_after_door,60s,2026-03-01T00:00:00Z\n")
    done = said("check", "b", "--policy", "p.toml", "--at", "2026-03-02T00:00:00Z", "--format", "json")
    assert done.exit_code == 1
    told = json.loads(done.stdout)
    assert [(d["terminal"], d["state"], d["found"]) for d in told["deviations"]] == [
        ("ATM-0001", "differs", "60s"),
        ("ATM-0002", "missing", ""),
    ]
    text = said("check", "b", "--policy", "p.toml", "--at", "2026-03-02T00:00:00Z").stdout
    assert "2 of 2 terminals differ" in text and "at least 10m" in text
    by_service = said(
        "check", "--config", "jackstop.toml", "--inventory", "b/inventory.csv", "--at", "2026-03-02T00:00:00Z", "--format", "json"
    )
    assert json.loads(by_service.stdout) == told


def test_what_machines_hold_stands_in_for_a_reading_of_their_limit(said, night):
    (night / "cash.toml").write_text("[safety]\ncash_limit = 100000\n")
    (night / "b" / "inventory.csv").write_text("terminal,setting,value,observed_at\n")
    with contextlib.closing(Database(default_url(night / "data"))) as database, database.write() as connection:
        facts = [("ATM-0001", "level:1", 60_000), ("ATM-0001", "level:2", 50_000), ("ATM-0002", "level:1", 100_000)]
        put_facts(connection, [(t, f, 1_772_323_200_000_000, str(v)) for t, f, v in facts], 1)
    words = (
        "--config",
        "jackstop.toml",
        "--policy",
        "cash.toml",
        "--inventory",
        "b/inventory.csv",
        "--at",
        "2026-03-02T00:00:00Z",
    )
    told = json.loads(said("check", *words, "--format", "json").stdout)["deviations"]
    assert [(d["terminal"], d["expected"], d["found"]) for d in told] == [("ATM-0001", "at most 100000", "110000")]


def test_check_leaves_with_0_where_all_is_as_wanted_and_with_1_for_lines_it_cannot_use(said, night):
    path = night / "b" / "inventory.csv"
    rows = [f"ATM-000{i},lock_after_door,600s,2026-03-01T00:00:00Z" for i in (1, 2)]
    path.write_text("\n".join(["terminal,setting,value,observed_at", *rows]))
    words = ("check", "b", "--policy", "p.toml", "--at", "2026-03-02T00:00:00Z")
    done = said(*words)
    assert (done.exit_code, "0 of 2 terminals differ" in done.stdout) == (0, True)
    path.write_text("\n".join(["terminal,setting,value,observed_at", *rows, "ATM-0001,colour,red,2026-03-01"]))
    done = said(*words)
    assert done.exit_code == 1 and "inventory.csv:4: setting is 'colour'" in done.stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("check",), "expected either a folder or --config"),
        (("check", "b", "--config", "jackstop.toml"), "expected either a folder or --config"),
        (("check", "b", "--policy", "gone.toml"), "expected a readable file"),
        (("check", "b", "--policy", "bad.toml"), "bad.toml:2: unknown key 'interlock.mood'"),
        (("backtest", "bad.toml", "b"), "bad.toml:2: unknown key 'interlock.mood'"),
        (("backtest", "p.toml", "nowhere"), "no such folder"),
        (("backtest", "p.toml", "b", "--config", "jackstop.toml"), "expected either a folder or --config"),
    ],
)
def test_a_wrong_use_is_a_clear_line(said, night, words, told):
    (night / "bad.toml").write_text('[interlock]\nmood = "x"\n')
    done = said(*words)
    assert isinstance(done.exception, BundleError)
    assert told in "\n".join(done.exception.faults)
