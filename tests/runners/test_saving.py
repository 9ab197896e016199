"""Checkpoints made beside the loop: steps go on meanwhile, and large states are files that a checkpoint names."""

import threading

import pytest
from spooled import Steady
from test_live_loop import Sips, whole
from test_rebuild import Part, decided, store

from jackstop.model.settings import MINUTE
from jackstop.runners import live
from jackstop.runners.live import Loop, Terms
from jackstop.runners.pace import RecordPace
from jackstop.runners.saving import Saving
from jackstop.spool.follower import Follower
from jackstop.store.faults import StoreError
from jackstop.store.history import History
from jackstop.store.live import Live
from jackstop.store.states import States


class Slow(History):
    """A history whose files take until they are allowed to be there."""

    def __init__(self, folder, database):
        super().__init__(folder, database)
        self.allowed, self.asked = threading.Event(), threading.Event()

    def seal(self):
        named = super().seal()

        def slowly(seq):
            self.asked.set()
            assert self.allowed.wait(60)
            return named(seq)

        return slowly


def begin(night, history, *, every=0, states=None, last=2**62, sip=None):
    root, bundle, _ = night
    terms = Terms(bundle.fleet, bundle.visits, lambda k: RecordPace(10 * MINUTE, k), Steady(), bundle.indicators, every=every)

    def follow(at):
        follower = Follower(root / "spool", at)
        return Part(follower, last) if sip is None else Sips(follower, sip)

    return Loop(terms, Live(history.database), history, follow, states)


def run(loop):
    while loop.turn():
        pass
    loop.save()
    loop.close()


def test_steps_are_written_while_a_checkpoint_is_made_and_it_counts_when_it_is(night, tmp_path):
    database = store(tmp_path)
    slow = Slow(tmp_path / "history", database)
    loop = begin(night, slow, sip=20_000)
    for _ in range(6):
        assert loop.turn()
    assert slow.asked.wait(60)
    assert Live(database).checkpoint() is None
    first, committed = loop.standing.checkpoint, Live(database).committed()
    assert (first, committed > 0) == (0, True)
    slow.allowed.set()
    while not loop.standing.checkpoint:
        assert loop.turn(), "the loop came to its end before"
    kept = Live(database).checkpoint()
    assert kept.seq == loop.standing.checkpoint < loop.standing.seq
    loop.close()

    run(begin(night, History(tmp_path / "history", database), sip=20_000))
    (tmp_path / "calm").mkdir()
    calm = store(tmp_path / "calm")
    history = History(tmp_path / "calm" / "history", calm)
    run(begin(night, history, every=10**12, sip=20_000))
    assert whole(database) == whole(calm)
    counts = [{t.table: t.rows for t in h.tables()} for h in (History(tmp_path / "history", database), history)]
    assert counts[0] == counts[1], "every row is in the history once"
    for each in (database, calm):
        each.close()


def test_a_large_state_is_a_file_that_the_checkpoint_names(night, tmp_path, monkeypatch):
    monkeypatch.setattr(live, "LARGE", 1)
    database, states = store(tmp_path), States(tmp_path / "states")
    last = night[2]
    loop = begin(night, History(tmp_path / "history", database), states=states, last=last // 2)
    run(loop)
    assert 1 <= len(list((tmp_path / "states").iterdir())) <= 2
    assert len(Live(database).checkpoint().state) < 100_000
    again = begin(night, History(tmp_path / "history", database), states=states)
    assert again.rebuilt == ""
    assert again.standing.watermark == loop.standing.watermark
    again.close()

    for path in (tmp_path / "states").iterdir():
        path.write_bytes(path.read_bytes()[:-1] + b"?")
    altered = begin(night, History(tmp_path / "history", database), states=states)
    assert "not what was written" in altered.rebuilt
    run(altered)
    assert altered.standing.seq == last
    (tmp_path / "calm").mkdir()
    calm = store(tmp_path / "calm")
    run(begin(night, History(tmp_path / "calm" / "history", calm), every=10**12))
    assert decided(database)[1] == decided(calm)[1]
    for path in (tmp_path / "states").iterdir():
        path.unlink()
    assert "No such file" in begin(night, History(tmp_path / "history", database), states=states).rebuilt
    assert "expected a place" in begin(night, History(tmp_path / "history", database)).rebuilt
    for each in (database, calm):
        each.close()


def test_what_goes_wrong_beside_is_raised_where_it_is_taken():
    saving = Saving()

    def full():
        raise StoreError("the disk is full, expected room")

    assert saving.ready() is None
    assert saving.wait() is None
    saving.begin(full)
    with pytest.raises(RuntimeError, match="taken first"):
        saving.begin(full)
    with pytest.raises(StoreError, match="disk is full"):
        saving.wait()
    assert not saving.busy
    saving.close()


def test_states_are_whole_or_not_there(tmp_path):
    states = States(tmp_path / "states")
    one, two = states.put(1, b"one"), states.put(2, b"two")
    assert one != two
    assert states.put(1, b"one") == one
    states.tidy(two)
    assert states.get(two) == b"two"
    with pytest.raises(LookupError):
        states.get(one)
    with pytest.raises(LookupError):
        states.get("../../etc/passwd")
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="expected room"):
        States(tmp_path / "file" / "states").put(1, b"")
