"""What docs/rules.md shows works."""

import re
from pathlib import Path

from jackstop import rules
from jackstop.rules import channels

TEXT = (Path(__file__).parents[2] / "docs" / "rules.md").read_text("utf-8")


def test_every_rule_of_the_page_loads():
    blocks = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
    assert len(blocks) == 2
    for block in blocks:
        loaded = rules.load({"doc.yml": block})
        assert not loaded.faults
        assert loaded.rules
    assert loaded.correlations[0].absence.silent == 600_000_000


def test_the_page_names_every_type_of_correlation_and_the_channels_are_lower_cased_once():
    for name in (
        "event_count",
        "value_count",
        "temporal",
        "temporal_ordered",
        "value_sum",
        "value_avg",
        "value_percentile",
        "value_median",
    ):
        assert f"`{name}`" in TEXT
    assert all(len({c.lower() for c in found}) == len(found) for found in channels.CHANNELS.values())
