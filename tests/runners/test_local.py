"""The local runner: what comes out does not depend on pieces, processes or the order of an export."""

from pathlib import Path

import polars as pl
import pytest

from jackstop.runners import local, shelf, workers
from jackstop.runners.local import Options
from jackstop.sources import bundle
from jackstop.store.results import Results

FLEET = """[fleet]
name = "T"
timezone = "UTC"
currency = "USD"

{terminals}
[[source]]
path = "logs/host.csv"
format = "switch-csv"
latency = "2s"
"""
TERMINAL = """[[terminal]]
id = "{id}"
terminal_id = "{id}"
cassettes = [ {{ unit = 1, type = 1, value = 2000, count = 2000 }} ]

[[source]]
path = "logs/{id}.jrn"
format = "ncr-journal"
terminal = "{id}"
date_order = "ymd"
"""


def clock(second: int) -> str:
    return f"{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}"


def journal(second: int) -> str:
    """A withdrawal of forty, as the application prints it."""
    lines = ["     *TRANSACTION START*"]
    lines += [f"[020t {clock(second)} REQUEST SENT [AMOUNT=00000040]", f"[020t {clock(second + 4)} NOTES STACKED"]
    lines += [f"[020t {clock(second + 6)} NOTES PRESENTED 2,0,0,0", f"[020t {clock(second + 9)} NOTES TAKEN"]
    lines += [f"[020t {clock(second + 12)} TRANSACTION END"]
    return "\n".join([f"[020t*{second % 9000 + 1}*2026/03/01*{clock(second)}*", *lines]) + "\n"


def approval(terminal: str, second: int) -> str:
    return f"2026-03-01T{clock(second)}.500Z,{terminal},withdrawal,4000,USD,00,{second:06d},{terminal[-1]}{second:011d}"


def make(root: Path, *, by_terminal: bool = False, hours: int = 6, theft: int | None = 15_000) -> Path:
    """Three terminals, a withdrawal every few minutes, one theft that nobody approved."""
    (root / "logs").mkdir(parents=True)
    ids = ["ATM-1", "ATM-2", "ATM-3"]
    host = []
    for n, name in enumerate(ids):
        times = list(range(600 + 60 * n, hours * 3600 - 900, 240))
        host += [(second, name, approval(name, second)) for second in times]
        if theft is not None and n == 1:
            times = sorted([*times, theft])
        (root / "logs" / f"{name}.jrn").write_text("".join(journal(t) for t in times))
    host.sort(key=lambda h: (h[1], h[0]) if by_terminal else (h[0], h[1]))
    rows = ["time,terminal_id,type,amount,currency,response,stan,rrn", *(h[2] for h in host)]
    (root / "logs" / "host.csv").write_text("\n".join(rows) + "\n")
    (root / "fleet.toml").write_text(FLEET.format(terminals="".join(TERMINAL.format(id=i) for i in ids)))
    return root


def outcome(root: Path, tmp: Path, **options):
    results = Results(tmp / "r.sqlite")
    try:
        report = local.investigate(bundle.load(root), results, Options(**options))
        verdicts = pl.concat(list(results.verdicts()))
    finally:
        results.close()
    return report, verdicts


@pytest.fixture(scope="module")
def night(tmp_path_factory) -> Path:
    return make(tmp_path_factory.mktemp("night") / "b")


def test_the_theft_is_found_and_nothing_else(night, tmp_path):
    report, verdicts = outcome(night, tmp_path, jobs=1)
    bad = verdicts.filter(~pl.col("verdict").is_in(["explained", "pending"]))
    assert bad.select("terminal", "picked", "verdict").rows() == [("ATM-2", 4000, "unexplained")]
    assert [d.alert.terminals for d in report.dossiers] == [("ATM-2",)]
    assert verdicts.filter(pl.col("verdict") == "explained").height > 200


def test_pieces_and_processes_change_nothing(night, tmp_path, monkeypatch):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    report, verdicts = outcome(night, tmp_path / "a", jobs=1)
    monkeypatch.setattr(workers, "piece_size", lambda _: 4096)
    monkeypatch.setattr(local, "TARGET", 200)
    monkeypatch.setattr(local, "SMALL", 0)
    again, same = outcome(night, tmp_path / "b", jobs=2)
    assert same.equals(verdicts)
    assert again.dossiers == report.dossiers


def test_an_export_sorted_by_terminal_is_read_whole_and_decided_the_same(night, tmp_path, monkeypatch):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    _, verdicts = outcome(night, tmp_path / "a", jobs=1)
    other = make(tmp_path / "c", by_terminal=True)
    monkeypatch.setattr(workers, "piece_size", lambda _: 4096)
    monkeypatch.setattr(local, "TARGET", 100)
    _, same = outcome(other, tmp_path / "b", jobs=1)
    shown = ["terminal", "kind", "time", "picked", "verdict", "reason"]
    assert same.select(shown).sort(shown).equals(verdicts.select(shown).sort(shown))


def test_nothing_after_until_is_known(night, tmp_path):
    until = 1_772_323_200_000_000 + 14_000 * 1_000_000
    report, verdicts = outcome(night, tmp_path, jobs=1, until=until)
    assert report.dossiers == ()
    assert verdicts["time"].dt.epoch("us").max() <= until


def test_a_stray_stamp_far_ahead_does_not_end_the_reading(tmp_path):
    root = make(tmp_path / "b", theft=15_000)
    path = root / "logs" / "ATM-1.jrn"
    text = path.read_text()
    cut = text.index("[020t*", len(text) // 2)
    path.write_text(text[:cut] + "[020t*77*2099/03/01*10:00:00*\nSST IN SERVICE\n" + text[cut:])
    report, verdicts = outcome(root, tmp_path, jobs=1)
    assert verdicts.filter(pl.col("verdict") == "unexplained", pl.col("kind") == "episode")["terminal"].to_list() == ["ATM-2"]
    assert report.end < 1_780_000_000_000_000


def test_a_quiet_end_of_the_logs_is_read_to_its_last_row(tmp_path):
    root = make(tmp_path / "b", theft=15_000)
    path = root / "logs" / "ATM-1.jrn"
    last = "[020t*990*2026/03/04*10:00:00*\nSST IN SERVICE\n"
    path.write_text(path.read_text() + last)
    report, _ = outcome(root, tmp_path, jobs=1)
    assert report.end >= 1_772_600_000_000_000


def test_a_file_that_vanishes_while_it_is_read_is_told_and_the_rest_is_decided(tmp_path, monkeypatch):
    root = make(tmp_path / "b")
    loaded = bundle.load(root)
    (root / "logs" / "ATM-3.jrn").unlink()
    results = Results(tmp_path / "r.sqlite")
    report = local.investigate(loaded, results, Options(jobs=1))
    results.close()
    (third,) = (g for g in report.terminals if g.terminal == "ATM-3")
    assert any("expected readable bytes" in reason for s in third.sources for reason in s.reasons)
    assert [d.alert.terminals for d in report.dossiers] == [("ATM-2",)]


def test_a_piece_is_smaller_the_more_files_there_are():
    assert shelf.piece_size(1) == 4 << 20
    assert shelf.piece_size(600) < 1 << 18
    assert shelf.piece_size(100_000) == 1 << 16
