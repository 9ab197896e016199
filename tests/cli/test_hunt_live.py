"""A night put away as a live service does: its history says what the investigation of the same logs says."""

import contextlib
import json

import polars as pl
import pytest
import typer
from click.testing import Result
from test_advisories import INSTALLED, toml
from typer.testing import CliRunner

from jackstop import simulator
from jackstop.cli import hunt
from jackstop.kpi import HOURS
from jackstop.model.results import Report, TimelineEntry
from jackstop.runners import local
from jackstop.runners.scrapbook import AFTER, BEFORE, LONGEST
from jackstop.sources import bundle
from jackstop.sources.bundle import BundleError
from jackstop.store import compaction, migrate
from jackstop.store.database import Database, default_url
from jackstop.store.history import History
from jackstop.store.live import Checkpoint, Decided, Live
from jackstop.store.results import Results, StoreError


def decided(seq: int, verdicts: pl.DataFrame) -> Decided:
    return Decided(seq, 0, seq, verdicts, (), pl.DataFrame(schema=HOURS), (), ())


def put_away(root) -> Report:
    """Investigate the bundle in `b`, and put its rows and verdicts away beside it."""
    loaded = bundle.load(root / "b")
    (root / "data").mkdir()
    with contextlib.closing(Database(default_url(root / "data"))) as database:
        migrate.upgrade(database)
        live, history = Live(database), History(root / "data" / "history", database)
        steps = 0

        def notice(output, watermark: int) -> None:
            nonlocal steps
            steps += 1
            history.keep(output.rows)
            live.commit(decided(steps, output.verdicts), Checkpoint(steps, 1, 0, 0, 0, "0", b""), history.seal()(steps))

        with contextlib.closing(Results(root / "results.sqlite")) as results:
            report = local.investigate(loaded, results, local.Options(jobs=1, notice=notice))
            live.commit(decided(steps + 1, pl.concat(results.verdicts())))
        compaction.compact(history, report.end)
    return report


@pytest.fixture(scope="module")
def night(tmp_path_factory):
    """A simulated malware night with one service more, and its report."""
    root = tmp_path_factory.mktemp("live-hunt")
    simulator.simulate("usb-malware", root / "b", 2, 3, 3)
    with (root / "b" / "logs" / "windows" / "winlogbeat.json").open("a") as log:
        log.write(json.dumps(INSTALLED) + "\n")
    (root / "jackstop.toml").write_text('[service]\nfleet = "b/fleet.toml"\n')
    (root / "a.toml").write_text(toml("file-name", "upd4te.EXE"))
    return root, put_away(root)


@pytest.fixture
def said(night, monkeypatch):
    """Runs the command in the night's folder; gives its result."""
    monkeypatch.chdir(night[0])
    app = typer.Typer()
    hunt.add(app)
    return lambda *words: CliRunner().invoke(app, [*words, "--advisory", "a.toml", "--format", "json"])


def hits(done: Result) -> list[str]:
    assert done.exit_code == (1 if done.stdout else 0), done.output
    return sorted(json.dumps(json.loads(line), sort_keys=True) for line in done.stdout.splitlines())


def test_the_history_gives_the_hits_its_logs_give(said):
    found = hits(said("--config", "jackstop.toml"))
    assert found == hits(said("b")) and found


def test_a_hunt_can_be_limited_in_time(said):
    assert hits(said("--config", "jackstop.toml", "--since", "2030-01-01")) == []
    assert hits(said("--config", "jackstop.toml", "--until", "2030-01-01")) == hits(said("--config", "jackstop.toml")) != []


@pytest.mark.parametrize(
    "words", [(), ("b", "--config", "jackstop.toml"), ("b", "--since", "2026-01-01"), ("b", "--until", "2026-01-01")]
)
def test_what_is_searched_is_said_once(said, words):
    done = said(*words)
    assert done.exit_code == 2 and "--config" in done.output


def test_a_service_that_is_not_there_or_was_never_started_is_told(said, night):
    other = night[0] / "other"
    other.mkdir()
    (other / "jackstop.toml").write_text('[service]\nfleet = "../b/fleet.toml"\n')
    assert isinstance(said("--config", "none.toml").exception, BundleError)
    never = said("--config", "other/jackstop.toml").exception
    assert isinstance(never, StoreError) and "expected the store of a service that was started" in str(never)
    assert not (other / "data").exists()


def test_a_file_of_the_history_that_cannot_be_read_is_told_and_the_rest_is_searched(said, night):
    root, _ = night
    whole = hits(said("--config", "jackstop.toml"))
    damaged = next((root / "data" / "history" / "cash").rglob("*.parquet"))
    kept = damaged.read_bytes()
    damaged.write_bytes(kept[:100])
    done = said("--config", "jackstop.toml")
    damaged.write_bytes(kept)
    assert hits(done) == whole and "expected a file of the history: left out" in done.stderr.replace("\n", " ")


def test_the_history_tells_the_timelines_that_the_report_tells(night):
    root, report = night
    compared = 0
    with contextlib.closing(Database(default_url(root / "data"))) as database:
        history = History(root / "data" / "history", database)
        for dossier in report.dossiers:
            alert = dossier.alert
            if len(alert.terminals) != 1 or len(dossier.timeline) >= LONGEST:
                continue
            begin, end = alert.first_event - BEFORE, alert.updated_at + AFTER + 1
            told = history.timeline(alert.terminals[0], begin, end, 10_000)
            assert key(told) == key(dossier.timeline)
            compared += len(told)
    assert compared > 15


def key(entries) -> list[TimelineEntry]:
    return sorted(entries, key=repr)
