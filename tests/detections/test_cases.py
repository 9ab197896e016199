"""Every detection's own cases, through the whole engine."""

import pytest

from jackstop import detections, trial


@pytest.mark.parametrize("name", detections.names())
def test_a_detection_fires_and_stays_silent_as_its_cases_say(name):
    assert trial.failures(name) == []


@pytest.mark.parametrize("name", detections.names())
def test_a_detection_has_a_case_for_each_answer_and_words_in_both_languages(name):
    found = detections.find(name)
    assert {c.fires for c in found.TESTS} == {True, False}
    assert any(c.missing for c in found.TESTS), "no case in which a source is missing"
    for text in (found.META.title, found.META.why, found.META.first_step):
        assert text.en.strip()
        assert any(ord(c) > 0x3000 for c in text.ja)
    assert found.META.gaps


@pytest.mark.parametrize("name", detections.names())
def test_a_case_ends_the_same_when_time_is_cut_into_many_steps(name):
    for case in detections.find(name).TESTS:
        assert trial.run(name, case, cuts=7) == trial.run(name, case)
