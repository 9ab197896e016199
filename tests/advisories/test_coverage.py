"""What of an advisory is covered."""

import pytest

from jackstop import advisories, coverage, detections
from jackstop.advisories import covers


def advisory(more: str) -> advisories.Advisory:
    """A small advisory."""
    return advisories.from_toml('id = "A"\ndate = 2026-01-01\ntitle = { en = "T" }\n' + more, "f")


@pytest.mark.parametrize(
    ("claimed", "wanted", "seen"),
    [
        ("T1200", ("T1200",), True),
        ("T1070.001", ("T1070",), True),
        ("T1070", ("T1070.001",), False),
        ("T12001", ("T1200",), False),
        ("T1562.001", ("T1685",), True),
        ("T1685", ("T1562",), True),
        ("T1070.001", ("T1685.005",), True),
        ("T1200", ("T1685",), False),
    ],
)
def test_a_claim_covers_its_technique_by_either_of_its_ids(claimed, wanted, seen):
    assert covers(claimed, wanted) is seen


def test_techniques_and_signs_name_the_detections_that_see_them_and_their_tests():
    found = coverage.of(
        advisory(
            '[[technique]]\nid = "T1106"\nen = "x"\n[[technique]]\nid = "T9999"\nen = "y"\n'
            '[[sign]]\nen = "s"\ndetections = ["dispense.unexplained", "no.such"]\n[[sign]]\nen = "t"\n'
        )
    )
    native, nobody = found.techniques
    assert "dispense.unexplained" in [s.detection for s in native.by]
    assert all(s.tests == len(detections.find(s.detection).TESTS) > 0 for s in native.by)
    assert nobody.by == ()
    assert [s.detection for s in found.signs[0].by] == ["dispense.unexplained"]
    assert found.signs[0].wanted == ("no.such",)
    assert [e.en for e in found.uncovered] == ["y", "t"]
