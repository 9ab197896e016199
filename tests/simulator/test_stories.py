"""Every story played by itself: its logs lead to the right end, and the same seed tells the same story."""

import hashlib
import json
from pathlib import Path

import polars as pl
import pytest

from jackstop import evaluate, formats, simulator
from jackstop.runners import local
from jackstop.simulator import stories
from jackstop.sources import bundle
from jackstop.store.results import Results


def played(name: str, place: Path, seed: int = 3) -> evaluate.Score:
    simulator.simulate(name, place / "bundle", None, None, seed)
    loaded = bundle.load(place / "bundle")
    results = Results(place / "results.sqlite")
    report = local.investigate(loaded, results, local.Options(jobs=1))
    told, paid = evaluate.stories(place / "bundle"), evaluate.withdrawals(place / "bundle")
    return evaluate.score(told, paid, report, results)


def digest(place: Path) -> str:
    whole = hashlib.sha256()
    for path in sorted(p for p in place.rglob("*") if p.is_file()):
        whole.update(str(path.relative_to(place)).encode() + b"\0" + path.read_bytes())
    return whole.hexdigest()


@pytest.mark.parametrize("name", stories.names())
def test_an_attack_is_paged_and_its_notes_are_found_and_what_only_looks_like_one_stays_quiet(name, tmp_path):
    score = played(name, tmp_path)
    (story,) = score.stories
    assert story.attack == stories.find(name).META.attack
    assert story.missed == ()
    assert story.early or not stories.find(name).META.early
    assert story.judged == story.movements
    assert score.false_alarms == ()
    assert score.withdrawals > 0
    assert score.explained >= 0.99 * score.withdrawals


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(tmp_path):
    for place, seed in (("a", 5), ("b", 5), ("c", 6)):
        simulator.simulate("usb-malware", tmp_path / place, 8, 6, seed)
    assert digest(tmp_path / "a") == digest(tmp_path / "b") != digest(tmp_path / "c")


def test_what_is_written_is_what_the_readers_read(tmp_path):
    simulator.simulate("demo", tmp_path, None, 4, 2)
    loaded = bundle.load(tmp_path)
    assert len({f.format for f in loaded.files}) >= 8
    for file in loaded.files:
        reader = formats.find(file.format).reader(file.reading)
        reader.feed(file.path.read_bytes(), final=True)
        torn = reader.tally.refused + reader.tally.duplicates
        assert reader.tally.understood >= reader.tally.records - torn, file.name


def test_the_truth_names_each_story_once_and_no_more_notes_than_were_stolen(tmp_path):
    simulator.simulate("demo", tmp_path, None, None, 4)
    told = [json.loads(line) for line in (tmp_path / "truth.jsonl").read_text().splitlines()]
    assert len({t["story"] for t in told}) == len(told)
    for story in told:
        assert story["stolen"] == sum(n["amount"] for n in story["notes"])
        assert {n["terminal"] for n in story["notes"]} <= set(story["terminals"])
    paid = pl.read_ndjson(tmp_path / "truth" / "withdrawals.jsonl")
    assert paid["amount"].min() > 0
