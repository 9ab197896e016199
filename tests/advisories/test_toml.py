"""Advisories in TOML: those that ship, and faults told with their lines."""

import re
from pathlib import Path

import pytest

from jackstop import advisories
from jackstop.advisories import HORIZONS, Undeclared

DOCS = Path(__file__).parents[2] / "docs" / "advisories.md"
SHORT = 'id = "A"\ndate = 2026-01-01\ntitle = { en = "T" }\n'


@pytest.mark.parametrize("name", advisories.names())
def test_every_shipped_advisory_is_whole_in_both_languages_and_named_after_its_file(name):
    found = advisories.find(name)
    entries = (*found.points, *found.signs, *found.techniques, *found.actions)
    assert found.title.ja
    assert entries and all(e.ja and e.source for e in entries)
    assert (Path(advisories.__file__).parent / f"{name.lower().replace('-', '_')}.toml").is_file()
    assert {a.horizon for a in found.actions} <= set(HORIZONS)


def test_the_fbi_notice_has_its_scores_every_horizon_and_no_invented_indicator():
    found = advisories.find("FLASH-20260219-001")
    marks = found.scores.model_dump(exclude={"source"})
    assert marks == {"scale": 7.0, "impact": 8.0, "novelty": 6.0, "nearness": 8.5, "call_to_act": 9.0}
    assert {a.horizon for a in found.actions} == set(HORIZONS)
    assert found.indicators == ()


def test_the_example_of_the_documentation_is_an_advisory():
    (example,) = re.findall(r"```toml\n(.*?)```", DOCS.read_text("utf-8"), re.DOTALL)
    found = advisories.from_toml(example, "docs")
    assert found.techniques[0].now == ("T1685",)
    assert found.indicators[0].value == "d41d8cd98f00b204e9800998ecf8427e"


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ("colour = 1\n", "f.toml:4: unknown key 'colour'"),
        ('[[point]]\nen = "x"\n[[point]]\ncolour = 1\nen = "y"\n', "f.toml:7: unknown key 'point.1.colour'"),
        ("[scores]\nscale = 11\nimpact=1\nnovelty=1\nnearness=1\ncall_to_act=1\n", "f.toml:5: scores.scale is 11"),
        ('[[technique]]\nid = "X1"\nen = "x"\n', "f.toml:5: technique.0.id"),
        ('[[action]]\nhorizon = "soon"\nen = "x"\n', "f.toml:5: action.0.horizon"),
        ('[[indicator]]\nkind = "hash"\nvalue = "xyz"\n', "f.toml:4: indicator.0: expected an MD5"),
        ('[[point]]\nfrom = "nobody"\nen = "x"\n', "names no [[source]]"),
        ("[[point\n", "f.toml:4: "),
    ],
)
def test_a_fault_is_told_with_its_line(more, told):
    with pytest.raises(Undeclared) as fault:
        advisories.from_toml(SHORT + more, "f.toml")
    assert any(told in f for f in fault.value.faults), fault.value.faults


def test_all_faults_are_told_at_once():
    with pytest.raises(Undeclared) as fault:
        advisories.from_toml(SHORT + "a = 1\nb = 2\n", "f.toml")
    assert [f.split(": ")[0] for f in fault.value.faults] == ["f.toml:4", "f.toml:5"]


def test_an_unknown_advisory_is_told_with_those_there_are():
    with pytest.raises(LookupError, match="FLASH-20260219-001"):
        advisories.find("nope")
