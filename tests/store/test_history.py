"""The history: no row missing, none twice, whatever is merged, removed or interrupted; and nothing else can be read."""

import contextlib
import stat
import threading
import time
from dataclasses import replace

import decided
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from some_rows import DAY, START, cabinet
from sqlalchemy import insert

from jackstop.model.tables import BY_NAME
from jackstop.store import compaction, history, parquet, putting, retention, schema
from jackstop.store.history import History
from jackstop.store.live import Checkpoint, Live
from jackstop.store.results import StoreError

EVER = (-(2**60), 2**60)


def checkpoint(seq: int) -> Checkpoint:
    return Checkpoint(seq, 1, seq, START, START, "0.1", b"s")


def put(kept: History, live: Live, seq: int, *frames: pl.DataFrame) -> None:
    for frame in frames:
        kept.keep({"cabinet": frame})
    live.commit(decided.step(seq), checkpoint(seq), kept.seal()(seq))


def ids(kept: History, terminal: str | None = None, begin: int = EVER[0], end: int = EVER[1], limit: int = 1000) -> list[int]:
    return kept.rows("cabinet", terminal, begin, end, limit)["event_id"].to_list()


@pytest.fixture
def live(database) -> Live:
    return Live(database)


@pytest.fixture
def kept(database, tmp_path) -> History:
    return History(tmp_path / "we[i]rd 'history'", database)


def test_rows_come_back_as_they_were_by_terminal_and_time(kept, live):
    given = cabinet((2**64 - 1, "B", START + 5, START + 6), (3, "A", START + 9, START + 9), (4, "B", START + 1, START + 8))
    put(kept, live, 7, given)
    back = kept.rows("cabinet", None, *EVER, 10)
    plain = given.with_columns(pl.col(c).cast(pl.String) for c, t in given.schema.items() if isinstance(t, pl.Enum)).sort("at")
    assert back.select(plain.columns).equals(plain)
    assert ids(kept, "B") == [4, 2**64 - 1]
    assert ids(kept, "B", START + 2) == [2**64 - 1]
    assert ids(kept, None, START, START + 9) == [4, 2**64 - 1]
    assert ids(kept, limit=1) == [4]
    assert ids(kept, ["B", "none"]) == ids(kept, "B") and ids(kept, ["A", "B"]) == ids(kept) and ids(kept, []) == []
    assert ids(kept, "none") == []


def test_a_table_without_files_gives_its_columns(kept):
    empty = kept.rows("windows", "A", *EVER, 10)
    assert set(BY_NAME["windows"].schema) <= set(empty.columns) and empty.height == 0
    assert kept.tables() == [] and kept.timeline("A", *EVER, 10) == []
    with pytest.raises(StoreError, match="no table 'x; DROP"):
        kept.rows("x; DROP", None, *EVER, 10)


def test_files_lie_by_table_and_day_of_arrival_and_only_we_may_read_them(kept, live):
    put(kept, live, 12, cabinet((1, "A", START - 40 * DAY, START + 1), (2, "A", START + 1, START + DAY)))
    assert [f.path for f in kept.files()] == [
        "cabinet/day=2026-03-01/0000000000000012-000.parquet",
        "cabinet/day=2026-03-02/0000000000000012-001.parquet",
    ]
    for path in (kept.folder, *kept.folder.rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path
    assert [(t.table, t.files, t.rows, t.first, t.last) for t in kept.tables()] == [
        ("cabinet", 2, 2, START - 40 * DAY, START + 1)
    ]


def test_odd_stamps_make_few_files(kept, live):
    rows = cabinet(*((n, "A", n * 400 * DAY, (n - 200) * 40_000 * DAY) for n in range(400)))
    put(kept, live, 1, rows)
    assert len(kept.files()) == putting.DAYS
    assert sorted(ids(kept)) == list(range(400))


def eventually(holds) -> None:
    until = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_many_rows_are_written_before_the_checkpoint_and_count_with_it(kept, live, monkeypatch):
    monkeypatch.setattr(putting, "SPILL", 10)
    for n in range(5):
        kept.keep({"cabinet": cabinet(*((n * 6 + k, "A", START + k, START + k) for k in range(6)))})
    eventually(lambda: len(parquet.found(kept.folder)) == 2)
    assert kept.files() == []
    put(kept, live, 3)
    assert len(kept.files()) == 3 and sorted(ids(kept)) == list(range(30))
    assert all(parquet.seq_of(p.name) == 3 for p in kept.folder.rglob("*.parquet"))


def test_rows_that_could_not_be_written_meanwhile_are_told_at_the_next_step(kept, live, monkeypatch):
    monkeypatch.setattr(putting, "SPILL", 1)
    kept.folder.mkdir(parents=True)
    (kept.folder / "cabinet").write_text("in the way")
    kept.keep({"cabinet": cabinet((1, "A", START, START))})

    def told() -> bool:
        try:
            kept.keep({})
        except StoreError as fault:
            return "expected a place for the history" in str(fault)
        return False

    eventually(told)
    with pytest.raises(StoreError, match="expected a place for the history"):
        kept.seal()(1)


def test_what_a_crash_left_is_removed_and_a_repeat_overwrites(kept, live, database):
    put(kept, live, 5, cabinet((1, "A", START, START)))
    kept.keep({"cabinet": cabinet((2, "A", START, START))})
    kept.seal()(9)
    assert ids(kept) == [1]
    again = History(kept.folder, database)
    again.keep({"cabinet": cabinet((3, "A", START, START))})
    files = again.seal()(12)
    assert parquet.found(kept.folder) == [kept.files()[0].path, files[0].path]
    live.commit(None, checkpoint(12), files)
    assert ids(again) == [1, 3]
    assert History(kept.folder, database).seal()(13) == ()


def test_one_who_only_asks_removes_nothing(kept, live, database):
    put(kept, live, 5, cabinet((1, "A", START, START)))
    kept.keep({"cabinet": cabinet((2, "A", START, START))})
    kept.seal()(9)
    assert ids(History(kept.folder, database)) == [1]
    assert len(parquet.found(kept.folder)) == 2


def test_a_full_disk_is_told_in_one_line(kept, live):
    kept.folder.mkdir(parents=True)
    (kept.folder / "cabinet").write_text("in the way")
    kept.keep({"cabinet": cabinet((1, "A", START, START))})
    with pytest.raises(StoreError, match=r"cabinet/day=.*expected a place for the history"):
        kept.seal()(1)


def test_a_file_that_is_gone_or_damaged_is_told(kept, live):
    put(kept, live, 1, cabinet((1, "A", START, START)))
    path = kept.folder / kept.files()[0].path
    path.write_bytes(b"PAR1 nonsense PAR1")
    with pytest.raises(StoreError, match="expected a history that can be read"):
        ids(kept)
    path.unlink()
    with pytest.raises(StoreError, match="expected a history that can be read"):
        ids(kept)
    with pytest.raises(StoreError, match="expected a file of the history"):
        list(kept.pieces())


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM read_parquet('{root}/../outside.parquet')",
        "COPY (SELECT 1) TO '{root}/../written.csv'",
        "ATTACH '{root}/../other.db'",
        "INSTALL httpfs",
        "SET memory_limit = '100GB'",
        "SET enable_external_access = true",
    ],
)
def test_a_query_reads_the_historys_folder_and_nothing_else(kept, query):
    kept.folder.mkdir(parents=True)
    pl.DataFrame({"x": [1]}).write_parquet(kept.folder.parent / "outside.parquet")
    with pytest.raises(StoreError):
        history._asked(kept.folder, query.format(root=str(kept.folder).replace("'", "''")), [], {})
    assert not (kept.folder.parent / "written.csv").exists()


def test_a_row_that_lacks_a_column_of_today_has_it_empty(kept, live):
    put(kept, live, 1, cabinet((1, "A", START, START)).drop("detail"))
    put(kept, live, 2, cabinet((2, "A", START + 1, START)).with_columns(extra=pl.lit("new")))
    back = kept.rows("cabinet", "A", *EVER, 10)
    assert back["detail"].to_list() == [None, "row 2"] and back["extra"].to_list() == [None, "new"]


# --- merging ---------------------------------------------------------------------------------------------------------


def test_a_day_that_is_over_becomes_one_file_and_the_old_ones_go(kept, live):
    for seq in range(1, 6):
        put(kept, live, seq, cabinet((seq, "A", START + seq, START + seq)))
    before = kept.rows("cabinet", None, *EVER, 100)
    assert compaction.compact(kept, START + DAY) == 0
    assert compaction.compact(kept, START + DAY + 3_600_000_000) == 4
    assert len(kept.files()) == len(parquet.found(kept.folder)) == 1
    assert kept.rows("cabinet", None, *EVER, 100).equals(before)
    assert compaction.compact(kept, START + 9 * DAY) == 0


def test_a_day_that_lasts_stays_a_handful_of_files(kept, live):
    for seq in range(1, 66):
        put(kept, live, seq, cabinet(*((seq * 1000 + n, "A", START + seq, START) for n in range(50))))
        if seq % 5 == 0:
            compaction.compact(kept, START)
    assert len(kept.files()) == len(parquet.found(kept.folder)) <= 3 * compaction.FAN
    assert sum(f.rows for f in kept.files()) == 65 * 50 == len(set(ids(kept, limit=9999)))


def test_large_files_are_left_alone(kept, live, monkeypatch):
    monkeypatch.setattr(compaction, "LARGE", 10)
    for seq, rows in enumerate((6, 6, 3, 12, 3), 1):
        put(kept, live, seq, cabinet(*((seq * 100 + n, "A", START + seq, START) for n in range(rows))))
    compaction.compact(kept, START + 9 * DAY)
    assert sorted(f.rows for f in kept.files()) == [3, 6, 9, 12]


def test_files_stay_while_somebody_reads_and_go_afterwards(kept, live):
    for seq in (1, 2):
        put(kept, live, seq, cabinet((seq, "A", START, START)))
    asked = kept.pieces()
    first = next(asked)
    assert compaction.compact(kept, START + 9 * DAY) == 1
    assert len(parquet.found(kept.folder)) == 3
    assert sorted([*first[1]["event_id"], *(n for _, f, _, _ in asked for n in f["event_id"])]) == [1, 2]
    compaction.compact(kept, START + 9 * DAY)
    assert len(parquet.found(kept.folder)) == 1 and ids(kept) == [1, 2]


def test_only_one_merges_at_a_time(kept, live):
    for seq in (1, 2):
        put(kept, live, seq, cabinet((seq, "A", START, START)))
    with parquet.merging(kept.folder) as ours:
        assert ours and compaction.compact(kept, START + 9 * DAY) == 0
    assert compaction.compact(kept, START + 9 * DAY) == 1


def test_what_was_removed_while_it_was_merged_stays_removed(kept, live, database, monkeypatch):
    for seq in (1, 2):
        put(kept, live, seq, cabinet((seq, "A", START, START)))
    write = parquet.write

    def expired_meanwhile(frame, path):
        retention.expire(kept, START + 500 * DAY, 400)
        return write(frame, path)

    monkeypatch.setattr(parquet, "write", expired_meanwhile)
    assert compaction.compact(kept, START + 9 * DAY) == 0
    assert kept.files() == parquet.found(kept.folder) == []


def test_a_merge_that_was_cut_off_leaves_the_old_files_counting(kept, live, monkeypatch):
    for seq in (1, 2):
        put(kept, live, seq, cabinet((seq, "A", START, START)))

    def cut_off(*_):
        raise StoreError("power cut")

    with monkeypatch.context() as patch:
        patch.setattr(compaction, "record_files", cut_off)
        with pytest.raises(StoreError):
            compaction.compact(kept, START + 9 * DAY)
    assert len(parquet.found(kept.folder)) == 3 and ids(kept) == [1, 2]
    assert compaction.compact(kept, START + 9 * DAY) == 1
    assert len(parquet.found(kept.folder)) == 1 and ids(kept) == [1, 2]


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    deeds=st.lists(
        st.one_of(
            st.tuples(st.just("put"), st.integers(0, 3), st.integers(1, 4)),
            st.tuples(st.just("crash"), st.integers(0, 3), st.integers(1, 4)),
            st.tuples(st.just("compact"), st.integers(0, 6), st.just(0)),
            st.tuples(st.just("expire"), st.integers(0, 6), st.integers(1, 3)),
        ),
        max_size=14,
    )
)
def test_whatever_is_done_every_recorded_row_that_is_young_enough_is_there_once(sqlite_url, tmp_path_factory, deeds):
    import shutil

    from jackstop.store.database import Database

    folder = tmp_path_factory.mktemp("deeds")
    shutil.copyfile(sqlite_url.removeprefix("sqlite:///"), folder / "store")
    with contextlib.closing(Database(f"sqlite:///{folder}/store")) as database:
        live, kept = Live(database), History(folder / "history", database)
        expected: dict[int, int] = {}
        number = seq = 0
        for deed, day, size in deeds:
            now = START + day * DAY
            match deed:
                case "put" | "crash":
                    seq += 1
                    rows = [(number + n, "A", now + n, now + n) for n in range(size)]
                    number += size
                    kept.keep({"cabinet": cabinet(*rows)})
                    files = kept.seal()(seq)
                    if deed == "crash":
                        live, kept = Live(database), History(folder / "history", database)
                    else:
                        live.commit(decided.step(seq), checkpoint(seq), files)
                        expected |= {n: day for n, *_ in rows}
                case "compact":
                    compaction.compact(kept, now)
                case "expire":
                    retention.expire(kept, now, size)
                    expected = {n: d for n, d in expected.items() if d >= day - size}
            assert sorted(ids(kept)) == sorted(expected)
        compaction.compact(kept, START)
        counted = {f.path for f in kept.files()}
        assert counted <= set(parquet.found(folder / "history"))


# --- retention -------------------------------------------------------------------------------------------------------


def held(database, name: str, begins: int, ends: int, *, released: bool = False) -> None:
    row = {
        "id": name,
        "case_id": None,
        "begins": begins,
        "ends": ends,
        "reason": "r",
        "placed_at": 1,
        "placed_by": "kim",
        "released_at": 5 if released else None,
    }
    with database.write() as connection:
        connection.execute(insert(schema.holds).values(row))


def test_old_rows_go_and_those_under_a_hold_stay(kept, live, database):
    for day in range(6):
        now = START + day * DAY
        rows = decided.frame(
            {"id": f"m{day}", "time": now, "decided_at": now + 60_000_000},
            {"id": f"n{day}", "time": 0, "decided_at": now, "verdict": "unexplained"},
        )
        counted = decided.hours(("A", now, "cabinet", now, 1))
        kept.keep({"cabinet": cabinet((day, "A", now, now))})
        seq = day + 1
        live.commit(replace(decided.step(seq, verdicts=rows, hours=counted), at=now), checkpoint(seq), kept.seal()(seq))
    held(database, "stands", START + DAY + 5, START + DAY + 9)
    held(database, "stands-too", START + 2 * DAY, START + 2 * DAY)
    held(database, "released", START, START + 9 * DAY, released=True)
    gone = retention.expire(kept, START + 5 * DAY + 7, 2)
    assert gone == retention.Expired(files=1, verdicts=4, hours=2, changes=2)
    assert ids(kept) == [1, 2, 3, 4, 5]
    with database.read() as connection:
        left = {
            t.name: sorted(str(r[0]) for r in connection.execute(t.select()))
            for t in (schema.verdicts, schema.verdict_history, schema.hours, schema.changes)
        }
    assert left["verdicts"] == left["verdict_history"] == ["m2", "m3", "m4", "m5", "n2", "n3", "n4", "n5"]
    assert len(left["hours"]) == len(left["changes"]) == 4
    assert [h.id for h in retention.standing(database)] == ["stands", "stands-too"]
    assert retention.expire(kept, START + 5 * DAY + 7, 2) == retention.Expired(0, 0, 0, 0)


def test_retention_takes_any_number_of_rows_in_small_transactions(kept, live, database, monkeypatch):
    monkeypatch.setattr(retention, "_PIECE", 10)
    rows = decided.frame(*({"id": f"m{n}"} for n in range(35)))
    live.commit(decided.step(1, verdicts=rows, hours=decided.hours(*(("A", START, f"m{n}", START, 1) for n in range(35)))))
    gone = retention.expire(kept, START + 500 * DAY, 400)
    assert (gone.verdicts, gone.hours) == (35, 35)


def test_readers_and_the_loop_do_not_hinder_each_other(kept, live):
    put(kept, live, 1, *(cabinet((n, "A", START + n, START)) for n in range(20)))
    seen: list[int] = []

    def ask() -> None:
        seen.extend(len(ids(kept)) for _ in range(5))

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for t in threads:
        t.start()
    for seq in range(2, 12):
        put(kept, live, seq, cabinet((seq * 100, "A", START, START)))
        compaction.compact(kept, START)
    for t in threads:
        t.join(60)
    assert len(seen) == 15 and min(seen) >= 20 and not any(t.is_alive() for t in threads)


def test_duckdb_and_the_files_agree_on_every_tables_columns(kept, live):
    for name, table in BY_NAME.items():
        one = pl.DataFrame([{c: None for c in table.schema}], schema=table.schema).with_columns(
            at=pl.lit(START), arrival=pl.lit(START)
        )
        kept.keep({name: one})
    live.commit(decided.step(1), checkpoint(1), kept.seal()(1))
    for name, table in BY_NAME.items():
        back = kept.rows(name, None, *EVER, 5)
        wanted = {n: pl.String() if isinstance(t, pl.Enum) else t for n, t in table.schema.items()}
        assert {n: back.schema[n] for n in wanted} == wanted and back.height == 1
