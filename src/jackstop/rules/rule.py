"""Rules as values: what they are called, what they ask, where, and what came of loading them."""

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from jackstop.rules.fault import Fault
from jackstop.rules.tree import Node

MICRO = 1_000_000


@dataclass(frozen=True, slots=True)
class About:
    """What a rule says of itself.

    Attributes:
        id: the Sigma id (UUID), else its name, else file name and place. name: what correlations call it by.
        title, level, status, description, author, licence: as written, or empty. A message made of a hit of a published rule must
            name its author (Detection Rule License 1.1, section 2).
        attack: ATT&CK technique ids of its tags. tags, references, falsepositives: as written.
        fields: names of what an analyst should see of a hit; hits carry their values.
        path, line: where it stands. extension: its `x-jackstop` block, as written.
    """

    id: str
    name: str
    title: str
    path: str
    line: int
    level: str = ""
    status: str = ""
    description: str = ""
    author: str = ""
    licence: str = ""
    attack: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    falsepositives: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    extension: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Variant:
    """A rule at one place of one table.

    Attributes:
        table: name. channel: lower case, or None for every one. codes: event ids, or None for every one.
        tree: what is asked, in the names of that place's columns and data, constants folded.
        keeps: the rule's own field names whose values its hits carry, with that place's names of them (None: it has none).
    """

    table: str
    channel: str | None
    codes: frozenset[int] | None
    tree: Node
    keeps: tuple[tuple[str, str | None], ...] = ()


@dataclass(frozen=True, slots=True)
class Rule:
    """A detection rule.

    Attributes:
        about: what it says of itself. source: the log source as written. variants: where it is looked for.
        tree: what it asks, in the rule's own field names. when: `closed` or `open` where it only holds while the site is so.
        alone: whether its hits are results of their own (a rule that only serves correlations is not).
    """

    about: About
    source: str
    variants: tuple[Variant, ...]
    tree: Node
    when: str | None = None
    alone: bool = True


@dataclass(frozen=True, slots=True)
class Threshold:
    """`op` (gte, gt, lte, lt, eq, neq) against `count`; `percentile` 0–100 where it is one."""

    op: str
    count: float
    percentile: float | None = None


@dataclass(frozen=True, slots=True)
class Absence:
    """The window in which something must be absent (µs).

    Attributes:
        trigger: id of the rule whose hit begins it. absent: ids of the rules that must not be there.
        before, after: how long before and after the trigger. suspect: after how long it is suspected, or None.
        suspend: whether nothing is confirmed while the absent rules' source is silent. silent: a longer gap in what the source
            says, in or around the window, is silence; None: only that nothing is heard after the window.
    """

    trigger: str
    absent: tuple[str, ...]
    before: int
    after: int
    suspect: int | None = None
    suspend: bool = True
    silent: int | None = None


@dataclass(frozen=True, slots=True)
class Correlation:
    """A correlation of hits.

    Attributes:
        type: event_count, value_count, temporal, temporal_ordered, value_sum, value_avg, value_percentile, value_median.
        rules: ids of the rules and correlations it takes, in their order. timespan: µs.
        group, counted: names it groups by, and names it counts or sums, each with the field by rule id.
        threshold: what must be reached; for temporal ones how many different rules. condition: over rule ids, where one is
            written. absence: where something must be absent.
    """

    about: About
    type: str
    rules: tuple[str, ...]
    timespan: int
    group: Mapping[str, Mapping[str, str]]
    counted: Mapping[str, Mapping[str, str]]
    threshold: Threshold
    condition: "Named | None" = None
    absence: Absence | None = None
    alone: bool = True


@dataclass(frozen=True, slots=True)
class Named:
    """A condition over rules: `op` is `rule`, `and`, `or` or `not`."""

    op: str
    rule: str = ""
    args: "tuple[Named, ...]" = ()


@dataclass(frozen=True, slots=True)
class Loaded:
    """What became of rule files. `rules` and `correlations` can run; every other one is named by `faults`.

    `starts`: by path, the lines at which documents begin.
    """

    rules: tuple[Rule, ...]
    correlations: tuple[Correlation, ...]
    faults: tuple[Fault, ...]
    starts: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    def place(self, path: str, line: int) -> tuple[str, int]:
        """The document a line belongs to, by path and the line it begins at."""
        starts = self.starts.get(path, ())
        return path, starts[max(bisect_right(starts, line) - 1, 0)] if starts else 1
