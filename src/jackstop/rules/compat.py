"""How much of a folder of public rules runs here, and what does not, by name."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from jackstop.rules.load import PUBLISHED, Pipeline, load
from jackstop.rules.rule import Loaded

MEANING: Mapping[str, str] = {
    "file": "not readable as rules in YAML",
    "sigma": "not valid Sigma 2.1",
    "source": "a log source that jackstop has no events of",
    "field": "a field that the events do not have here",
    "regex": "a regular expression that cannot run in linear time",
    "placeholder": "a placeholder without values",
    "correlation": "a correlation that cannot run",
    "absence": "`not` in a correlation without a window",
    "unsupported": "something else that is not supported",
}
"""What each kind of fault means."""


@dataclass(frozen=True, slots=True)
class Report:
    """What became of rule files.

    Attributes:
        loaded: rules, correlations and every fault. documents: how many there were. valid: how many are valid Sigma of a log
            source that is known here. running: how many of those run. kinds: documents that do not run, by kind of their first
            fault. reasons: kind, reason and how often, most first.
    """

    loaded: Loaded
    documents: int
    valid: int
    running: int
    kinds: Mapping[str, int]
    reasons: tuple[tuple[str, str, int], ...]

    @property
    def share(self) -> float:
        """Share of valid rules that run; 1 where there are none."""
        return self.running / self.valid if self.valid else 1.0


def report(texts: Mapping[str, str], *, pipeline: Pipeline = PUBLISHED) -> Report:
    """What becomes of the rule files of a folder."""
    loaded = load(texts, pipeline=pipeline)
    reasons = Counter((f.kind, f.what) for f in loaded.faults)
    kinds: dict[tuple[str, int], str] = {}
    for fault in loaded.faults:
        kinds.setdefault(loaded.place(fault.path, fault.line), fault.kind)
    running = len(loaded.rules) + len(loaded.correlations)
    foreign = sum(k in {"file", "sigma", "source"} for k in kinds.values())
    listed = tuple((kind, what, n) for (kind, what), n in sorted(reasons.items(), key=lambda r: (-r[1], r[0])))
    documents = sum(map(len, loaded.starts.values()))
    return Report(loaded, documents, documents - foreign, running, dict(Counter(kinds.values()).most_common()), listed)
