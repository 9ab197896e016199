"""Detections of the user's own, and what advisories list."""

import pytest

from jackstop import detections, trial
from jackstop.detections import _sigma

OWN = _sigma.shipped()["persist_wmi"]


@pytest.fixture(autouse=True)
def forget():
    yield
    detections.learn({})


def changed():
    lines = OWN.splitlines()
    lines[1] = "id: 11111111-2222-4333-8444-555555555555"
    return "\n".join(lines)


def test_a_rule_file_of_ones_own_is_a_detection_like_any_other():
    detections.learn({"detections/site_wmi.yml": changed()})
    assert "site.wmi" in detections.names()
    assert trial.failures("site.wmi") == []


def test_learning_anew_forgets_what_was_learnt_before():
    detections.learn({"site_wmi.yml": changed()})
    detections.learn({})
    assert "site.wmi" not in detections.names()


def test_every_fault_of_every_file_is_told_with_its_place_and_nothing_is_learnt():
    texts = {
        "a/site_one.yml": changed().replace("level: medium", "level: loud"),
        "a/persist_wmi.yml": changed(),
        "a/Bad Name.yml": changed(),
        "a/site_two.yml": changed(),
    }
    with pytest.raises(detections.Faulty) as told:
        detections.learn(texts)
    lines = str(told.value).splitlines()
    assert any(line.startswith("a/site_one.yml:") and "loud" in line for line in lines)
    assert any(line.startswith("a/persist_wmi.yml") and "there already" in line for line in lines)
    assert any(line.startswith("a/Bad Name.yml") and "gives no id" in line for line in lines)
    assert "site.two" not in detections.names()


@pytest.mark.parametrize("without", ["title", "why", "first_step", "gaps", "tests"])
def test_a_block_that_lacks_words_is_refused(without):
    text = changed().replace(f"\n  {without}:", f"\n  x_{without}:")
    with pytest.raises(detections.Faulty, match=without):
        detections.learn({"site_wmi.yml": text})


def test_a_rule_without_a_block_is_refused():
    with pytest.raises(detections.Faulty, match="x-jackstop"):
        detections.learn({"site_wmi.yml": changed().split("x-jackstop:")[0]})


def test_what_a_rule_says_again_within_ten_minutes_is_claimed_once():
    case = detections.find("persist.service").TESTS[0]
    again = [type(r)(r.table, r.at + n, r.source, r.values) for r in case.rows for n in (0, 60, 120)]
    assert len(trial.run("persist.service", type(case)(case.name, tuple(again), fires=True))) == 1
    other = [type(r)(r.table, r.at, r.source, {**r.values, "data": '{"ServiceName":"other"}'}) for r in case.rows]
    assert len(trial.run("persist.service", type(case)(case.name, (*case.rows, *other), fires=True))) == 2


ABSENCE = """
title: Notes with no approval
id: 21111111-2222-4333-8444-555555555555
status: experimental
correlation:
  type: temporal
  rules: [notes_ordered, host_approved]
  group-by: [terminal]
  timespan: 3m
  condition: notes_ordered and not host_approved
level: high
x-jackstop:
  title: {en: No approval, ja: 承認なしの出金}
  why: {en: No approval within the window., ja: 承認がありません。}
  first_step: {en: Look., ja: 確認してください。}
  needs: [cash, host]
  gaps: none known
  absence: {trigger: notes_ordered, before: 2m, after: 1m}
  tests:
    - name: an approval five seconds before
      fires: false
      rows:
        - {at: -300, table: host, activity: request}
        - {at: 55, table: host, activity: reply, approved: true, amount: 20000}
        - {at: 60, table: cash, activity: dispense-requested, layer: device}
        - {at: 400, table: host, activity: request}
    - name: an approval that is logged five seconds after
      fires: false
      rows:
        - {at: -300, table: host, activity: request}
        - {at: 60, table: cash, activity: dispense-requested, layer: device}
        - {at: 65, table: host, activity: reply, approved: true, amount: 20000}
        - {at: 400, table: host, activity: request}
    - name: no approval
      fires: true
      rows:
        - {at: -300, table: host, activity: request}
        - {at: 60, table: cash, activity: dispense-requested, layer: device}
        - {at: 400, table: host, activity: request}
    - name: the host says nothing at all any more
      fires: false
      rows:
        - {at: -300, table: host, activity: request}
        - {at: 60, table: cash, activity: dispense-requested, layer: device}
---
title: Notes ordered
id: 21111111-2222-4333-8444-555555555556
name: notes_ordered
logsource: {product: atm, service: cash}
detection: {ordered: {activity: dispense-requested}, condition: ordered}
---
title: Host approved
id: 21111111-2222-4333-8444-555555555557
name: host_approved
logsource: {product: atm, service: host}
detection: {approved: {activity: reply, approved: true}, condition: approved}
"""


def test_what_is_missing_is_told_only_while_its_source_speaks_however_time_is_cut():
    detections.learn({"site_alone.yml": ABSENCE})
    assert trial.failures("site.alone") == []
    for case in detections.find("site.alone").TESTS:
        for cuts in (7, 240):
            assert trial.run("site.alone", case, cuts=cuts) == trial.run("site.alone", case)


@pytest.mark.parametrize(
    ("old", "new", "word"),
    [
        ("level: medium\n", "", "level"),
        ("stage: persistence", "stage: somewhere", "somewhere"),
        ("silenced_by: [software]", "silenced_by: [sofware]", "sofware"),
        ("needs: [windows]", "needs: [window]", "'window'"),
        ("needs: [windows]", "needs: windows", "needs"),
        ("fires: true", "fires: often", "fires"),
        ("at: 0", "at: soon", "soon"),
        ("code: 5861", "kode: 5861", "kode"),
    ],
)
def test_a_block_with_wrong_words_is_refused_with_its_place(old, new, word):
    assert old in changed() + "\n"
    with pytest.raises(detections.Faulty, match=word) as told:
        detections.learn({"site_wmi.yml": (changed() + "\n").replace(old, new)})
    assert str(told.value).startswith("site_wmi.yml:")
