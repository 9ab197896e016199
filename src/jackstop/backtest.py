"""A rule over the past: one detection, or a rule file that is not in use yet, run over bundles as the live engine would run it.

Says how often and where it fired, how that spreads over terminals and days, and, where a bundle has its truth, how many of the
attacks it saw and how often it fired at nothing.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl

from jackstop import detections, engine, evaluate, rules
from jackstop.detections import Detection, SigmaDetection, Signals, Text, View
from jackstop.model.measures import Share
from jackstop.model.results import PAGING, Finding, Report
from jackstop.model.settings import HOUR, Settings
from jackstop.model.written import stamp
from jackstop.rules import Correlation, Rule
from jackstop.runners import local
from jackstop.scorecard import Rate, share, within
from jackstop.sources.bundle import Bundle
from jackstop.store.results import Results


@dataclass(frozen=True, slots=True)
class Fire:
    """The rule fired: at a terminal, at a time (µs UTC), when that could be said, how gravely, with what detail and record."""

    terminal: str
    time: int
    decided_at: int
    severity: str
    detail: str
    record: str

    @property
    def key(self) -> tuple[str, str, str]:
        """What makes it the same as one of another run."""
        return self.terminal, stamp(self.time), self.detail


@dataclass(frozen=True, slots=True)
class Backtest:
    """What a rule did over some bundles.

    Attributes:
        fires: in time order. days: terminal-days looked at. attacks: attack stories it fired in, of all; None without truth.
        right: fires within an attack, of all; None without truth. at_nothing: fires of bundles with truth outside attacks.
    """

    rule: str
    fires: tuple[Fire, ...]
    days: float
    terminals: int
    attacks: Share | None
    right: Share | None
    at_nothing: tuple[Fire, ...]

    @property
    def rate(self) -> Rate:
        """Fires per terminal-day."""
        return Rate.of(len(self.fires), self.days)

    @property
    def pages(self) -> Rate:
        """Fires that wake a person, per terminal-day."""
        return Rate.of(sum(f.severity in PAGING for f in self.fires), self.days)

    @property
    def by_terminal(self) -> Mapping[str, int]:
        """How often at each terminal, most first."""
        return dict(Counter(f.terminal for f in self.fires).most_common())

    @property
    def by_day(self) -> Mapping[str, int]:
        """How often on each day (UTC)."""
        return dict(sorted(Counter(stamp(f.time)[:10] for f in self.fires).items()))

    def as_json(self) -> dict[str, Any]:
        """For `--format json` and for `--before` of a later run."""
        return {
            "rule": self.rule,
            "count": len(self.fires),
            "terminals": self.terminals,
            "rate": {**asdict(self.rate), "value": self.rate.value},
            "pages": {**asdict(self.pages), "value": self.pages.value},
            "attacks": asdict(self.attacks) if self.attacks else None,
            "right": asdict(self.right) if self.right else None,
            "at_nothing": len(self.at_nothing),
            "by_terminal": self.by_terminal,
            "by_day": self.by_day,
            "fires": [{**asdict(f), "time": stamp(f.time), "decided_at": stamp(f.decided_at)} for f in self.fires],
        }


@dataclass(slots=True)
class _Collector:
    """Fires of one bundle, gathered step by step: of findings by id, or of a rule that is run beside the engine."""

    bundle: Bundle
    name: str
    rule: SigmaDetection | None
    fires: list[Fire] = field(default_factory=list)
    kept: pl.DataFrame = field(default_factory=rules.empty)
    before: int = engine.BEGINNING
    signals: Signals | None = None

    def notice(self, output: engine.Output, watermark: int) -> None:
        """One step's findings, or what the rule says of its rows."""
        if self.rule is None:
            self.fires += [_of_finding(f) for f in output.findings if f.detection == self.name]
            return
        self.signals = self.signals or Signals.of([self.rule])
        self.kept = self.signals.take(self.kept, output.rows, self.bundle.fleet, self.before)
        fresh = pl.col("decided").is_between(self.before, watermark, closed="right")
        claimed = self.rule.detect(self._view(self.signals.tell(self.kept))).filter(fresh)
        self.fires += [_of_claim(row) for row in claimed.iter_rows(named=True)]
        self.before = watermark

    def _view(self, told: pl.DataFrame) -> View:
        """A view of nothing but signals: all that a rule's detection looks at."""
        nothing = pl.DataFrame()
        return View({}, nothing, nothing, nothing, nothing, nothing, self.bundle.visits, self.bundle.fleet, Settings(), told)


def _of_finding(finding: Finding) -> Fire:
    record = next((f"{r.path}@{r.offset}+{r.length}" for r in finding.records), "")
    detail = " ".join(value for _, value in finding.detail)
    return Fire(finding.terminal, finding.time, finding.decided_at, finding.severity, detail, record)


def _of_claim(row: Mapping[str, Any]) -> Fire:
    record = next((f"{r['source']}@{r['record_offset']}+{r['record_length']}" for r in row["records"] if r), "")
    return Fire(row["terminal"], row["at"], row["decided"], row["severity"], row["detail"] or "", record)


def rule(path: str, text: str) -> SigmaDetection:
    """A rule file as a detection that can be run; one of ours, or any Sigma file of one detection.

    Raises:
        ValueError: it cannot be loaded; every fault a line.
    """
    loaded = rules.load({path: text})
    faults = [str(f) for f in loaded.faults]
    everyone: list[Rule | Correlation] = [*loaded.correlations, *loaded.rules]
    chosen = next((r for r in everyone if r.about.extension), everyone[0] if everyone else None)
    if faults or chosen is None:
        raise ValueError("\n".join(faults or [f"{path}:1: no rule, expected a Sigma rule"]))
    about, said = chosen.about, chosen.about.extension
    level = {"informational": "info", "": "medium"}.get(about.level, about.level)
    title = Text(about.title, about.title)
    silenced = tuple(str(w) for w in said.get("silenced_by", ()))
    meta = Detection(
        title,
        title,
        title,
        level=level,
        needs=(),
        gaps="",
        attack=about.attack,
        silenced_by=silenced,
        stage=str(said.get("stage", "")),
    )
    return SigmaDetection(meta, (), about.id, about.fields, loaded.rules, loaded.correlations)


def run(name: str, tested: SigmaDetection | None, bundles: Sequence[Bundle], since: int, jobs: int | None) -> Backtest:
    """Run a rule over bundles.

    Args:
        name: id of a detection, or what to call the rule. tested: a rule run in its place. since: µs UTC of the first fire
            that counts. jobs: decoding processes.
    """
    fires, outside, days, terminals = list[Fire](), list[Fire](), 0.0, 0
    seen = told = right = judged = 0
    for bundle in bundles:
        found, report = _one(name, tested, bundle, jobs)
        kept = sorted((f for f in found if f.time >= since), key=lambda f: (f.time, f.terminal, f.detail))
        days += max(report.end - max(report.start, since), 0) / (24 * HOUR) * len(report.terminals)
        terminals += len(report.terminals)
        fires += kept
        if (bundle.root / "truth.jsonl").is_file():
            attacks = [s for s in evaluate.stories(bundle.root) if s.attack and s.end >= since]
            inside = [f for f in kept if any(within(s, f.terminal, f.time) for s in attacks)]
            outside += [f for f in kept if f not in inside]
            seen += sum(any(within(s, f.terminal, f.time) for f in inside) for s in attacks)
            told, right, judged = told + len(attacks), right + len(inside), judged + len(kept)
    truth = any((b.root / "truth.jsonl").is_file() for b in bundles)
    return Backtest(
        name,
        tuple(fires),
        days,
        terminals,
        share(seen, told) if truth else None,
        share(right, judged) if truth else None,
        tuple(outside),
    )


def _one(name: str, tested: SigmaDetection | None, bundle: Bundle, jobs: int | None) -> tuple[list[Fire], Report]:
    """The fires of one bundle, and its report for the time and the terminals looked at."""
    joint = tested is None and name in detections.joint()
    chosen = None if joint else () if tested is not None else (name,)
    collector = _Collector(bundle, name, tested)
    with TemporaryDirectory(prefix="jackstop-") as folder:
        results = Results(Path(folder) / "results.sqlite")
        try:
            options = local.Options(jobs=jobs, detections=chosen, notice=None if joint else collector.notice)
            report = local.investigate(bundle, results, options)
        finally:
            results.close()
    if joint:
        found = {f.id: f for d in report.dossiers for f in d.alert.findings if f.detection == name}
        return [_of_finding(f) for f in found.values()], report
    return collector.fires, report
