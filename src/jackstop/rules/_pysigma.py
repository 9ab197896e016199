"""The one module that knows pySigma: parsed documents as our trees and correlations.

pySigma (LGPL-2.1) reads and checks what Sigma 2.1 says of rules, modifiers, conditions and correlations; it is used while
loading and never while matching. Regular expressions are checked with RE2 here: what RE2 cannot do in linear time is refused.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import re2
from sigma import conditions as c
from sigma import types as t
from sigma.correlations import (
    CorrelationConditionAND,
    CorrelationConditionNOT,
    CorrelationConditionOR,
    SigmaCorrelationCondition,
    SigmaCorrelationRule,
    SigmaExtendedCorrelationCondition,
    SigmaRuleReference,
)
from sigma.exceptions import SigmaError
from sigma.policy import SigmaPolicy
from sigma.policy.regex_engine import RegexEngine, RegexPattern
from sigma.rule import SigmaRule

from jackstop.rules.fault import Collected, Unsupported
from jackstop.rules.rule import MICRO, Named, Threshold
from jackstop.rules.tree import (
    KEYWORDS,
    NEVER,
    Exists,
    Network,
    Node,
    Null,
    Number,
    Pattern,
    Regex,
    Same,
    Text,
    TimePart,
    Wild,
    every,
    opposite,
    some,
)  # fmt: skip

Placeholders = Mapping[str, Sequence[str]]

_LONGEST_REGEX = 4096
_REGEX_MEMORY = 8 << 20
_MOST_EXPANDED = 10_000
_FLAGS = {"IGNORECASE": "i", "MULTILINE": "m", "DOTALL": "s"}
_WILD = {t.SpecialChars.WILDCARD_MULTI: Wild.MANY, t.SpecialChars.WILDCARD_SINGLE: Wild.ONE}


class _Quiet(RegexEngine):
    """RE2 for what pySigma asks; an expression that RE2 refuses passes here, so that `checked` can name every one."""

    def compile(self, pattern: str, flags: int = 0) -> RegexPattern:
        """The pattern without flags (pySigma uses none where it searches), or one that never matches."""
        try:
            found: RegexPattern = re2.compile(pattern, _options())
        except re2.error:
            found = re2.compile(r"[^\s\S]", _options())
        return found

    @property
    def error(self) -> type[Exception]:
        """What a wrong expression would raise."""
        return ValueError


def _options() -> Any:  # noqa: ANN401 - re2 has no types
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _REGEX_MEMORY
    options.never_capture = True
    return options


_POLICY = SigmaPolicy(regex_engine=_Quiet())


def parse(body: dict[str, Any]) -> tuple[SigmaRule | SigmaCorrelationRule | None, list[str]]:
    """A document as pySigma's rule, or what pySigma finds wrong with it."""
    try:
        rule: SigmaRule | SigmaCorrelationRule
        rule = (SigmaCorrelationRule if "correlation" in body else SigmaRule).from_dict(body, True, policy=_POLICY)
    except SigmaError as fault:
        return None, [str(fault)]
    except (TypeError, ValueError, AttributeError, KeyError) as fault:
        return None, [f"{type(fault).__name__} in what the rule says: {str(fault)[:120]}"]
    return rule, [str(e) for e in rule.errors]


def tree(rule: SigmaRule, placeholders: Placeholders) -> Node:
    """What a rule asks.

    Raises:
        Unsupported: something that cannot be done, or a condition that is wrong.
    """
    found = []
    collected = Collected()
    for condition in rule.detection.parsed_condition:
        try:
            parsed = condition.parsed
        except SigmaError as fault:
            raise Unsupported("sigma", str(fault), "a Sigma condition") from None
        except RecursionError:
            raise Unsupported("sigma", "condition nested too deeply", "a Sigma condition") from None
        if parsed is None:
            raise Unsupported("sigma", "condition asks nothing", "a Sigma condition")
        found.append(_Reader(placeholders, collected).node(parsed))
    collected.check()
    return some(tuple(found))


class _Reader:
    """pySigma's condition tree as ours."""

    def __init__(self, placeholders: Placeholders, collected: Collected) -> None:
        self._placeholders = placeholders
        self._collected = collected

    def node(self, item: Any) -> Node:  # noqa: ANN401 - pySigma's union has no common type
        """One item of the tree."""
        if isinstance(item, c.ConditionNOT):
            return opposite(self.node(item.args[0]))
        if isinstance(item, c.ConditionAND):
            return every(tuple(self.node(a) for a in item.args))
        if isinstance(item, c.ConditionOR):
            return some(tuple(self.node(a) for a in item.args))
        try:
            return self._leaf(item)
        except Unsupported as said:
            self._collected.add(said)
            return NEVER

    def _leaf(self, item: Any) -> Node:  # noqa: ANN401 - as above
        if isinstance(item, c.ConditionFieldEqualsValueExpression):
            return self._value(item.field, item.value)
        if isinstance(item, c.ConditionValueExpression):
            return self._keyword(item.value)
        raise Unsupported("unsupported", f"condition of kind {type(item).__name__}", "and, or, not, 1 of, all of")

    def _keyword(self, value: t.SigmaType) -> Node:
        if isinstance(value, t.SigmaExpansion):
            return some(tuple(self._keyword(v) for v in value.values))
        if isinstance(value, t.SigmaString):
            return some(tuple(Text(KEYWORDS, _around(p), self._cased(value)) for p in self._patterns(value, KEYWORDS)))
        if isinstance(value, t.SigmaNumber):
            return Text(KEYWORDS, _around((str(value),)))
        if isinstance(value, t.SigmaRegularExpression):
            return self._regex(KEYWORDS, value)
        raise Unsupported("unsupported", f"keyword of kind {type(value).__name__}", "text, a number or an expression")

    def _value(self, field: str, value: t.SigmaType) -> Node:
        if isinstance(value, t.SigmaString):
            return some(tuple(Text(field, p, self._cased(value)) for p in self._patterns(value, field)))
        if isinstance(value, t.SigmaExpansion):
            return some(tuple(self._value(field, v) for v in value.values))
        if isinstance(value, t.SigmaRegularExpression):
            return self._regex(field, value)
        return self._plain(field, value)

    def _plain(self, field: str, value: t.SigmaType) -> Node:
        found: Node | None = None
        if isinstance(value, t.SigmaTimestampPart):
            found = TimePart(field, value.timestamp_part.name.lower(), int(value.number))
        elif isinstance(value, t.SigmaNumber):
            found = Number(field, "eq", value.number)
        elif isinstance(value, t.SigmaBool):
            found = Text(field, ("true" if value.boolean else "false",))
        elif isinstance(value, t.SigmaNull):
            found = Null(field)
        elif isinstance(value, t.SigmaExists):
            found = Exists(field, bool(value))
        elif isinstance(value, t.SigmaCIDRExpression):
            found = Network(field, value.network)
        elif isinstance(value, t.SigmaCompareExpression):
            found = self._compare(field, value)
        elif isinstance(value, t.SigmaFieldReference):
            found = Same(field, value.field, value.starts_with, value.ends_with)
        if found is None:
            raise Unsupported("unsupported", f"value of kind {type(value).__name__}", "a value of Sigma 2.1", field)
        return found

    def _compare(self, field: str, value: t.SigmaCompareExpression) -> Node:
        if isinstance(value.number, t.SigmaTimestampPart):
            raise Unsupported("unsupported", "comparison of a part of a time", "equality with it", field)
        return Number(field, value.op.name.lower(), value.number.number)

    def _regex(self, field: str, value: t.SigmaRegularExpression) -> Node:
        if value.contains_placeholder():
            raise Unsupported("placeholder", "placeholder in a regular expression", "plain expressions", field)
        flags = "".join(sorted(_FLAGS[f.name] for f in value.flags))
        return checked(Regex(field, str(value.regexp), flags))

    @staticmethod
    def _cased(value: t.SigmaString) -> bool:
        return isinstance(value, t.SigmaCasedString)

    def _patterns(self, value: t.SigmaString, field: str) -> Iterator[Pattern]:
        """The patterns a string stands for: one, or one for each value of its placeholders."""
        names = list(dict.fromkeys(p.name for p in value.s if isinstance(p, t.Placeholder)))
        for name in names:
            if name not in self._placeholders:
                raise Unsupported(
                    "placeholder", f"placeholder %{name}% has no values", "a table of placeholders that has it", field
                )
        choices = [self._placeholders[n] for n in names]
        for chosen in itertools.islice(itertools.product(*choices), _MOST_EXPANDED):
            values = dict(zip(names, chosen, strict=True))
            yield pattern(
                p if isinstance(p, str) else values[p.name] if isinstance(p, t.Placeholder) else _WILD[p] for p in value.s
            )


def pattern(parts: Iterator[str | Wild]) -> Pattern:
    """Parts as a pattern: neighbouring texts joined, several `*` in a row one."""
    found: list[str | Wild] = []
    for part in parts:
        if isinstance(part, str) and found and isinstance(found[-1], str):
            found[-1] += part
        elif part != "" and not (part is Wild.MANY and found and found[-1] is Wild.MANY):
            found.append(part)
    return tuple(found)


def _around(found: Pattern) -> Pattern:
    """A pattern anywhere in a value."""
    return pattern(iter((Wild.MANY, *found, Wild.MANY)))


def checked(regex: Regex) -> Regex:
    """The expression, if RE2 takes it.

    Raises:
        Unsupported: it cannot run in linear time and bounded memory.
    """
    if len(regex.source) > _LONGEST_REGEX:
        raise Unsupported(
            "regex", f"regular expression of {len(regex.source)} characters", f"at most {_LONGEST_REGEX}", regex.field
        )
    try:
        compiled(regex)
    except re2.error as fault:
        why = fault.args[0].decode("utf-8", "replace") if isinstance(fault.args[0], bytes) else str(fault)
        raise Unsupported(
            "regex",
            f"regular expression {regex.source[:80]!r}: {why}",
            "one that runs in linear time (RE2: no lookaround, no backreference, no atomic group)",
            regex.field,
        ) from None
    return regex


def compiled(regex: Regex) -> Any:  # noqa: ANN401 - re2 has no types
    """The expression as RE2's.

    Raises:
        re2.error: RE2 does not take it.
    """
    return re2.compile(f"(?{regex.flags}){regex.source}" if regex.flags else regex.source, _options())


def threshold(rule: SigmaCorrelationRule) -> tuple[Threshold, tuple[str, ...]]:
    """What a correlation must reach, and the fields it counts or sums."""
    said = rule.condition
    if not isinstance(said, SigmaCorrelationCondition):
        return Threshold("gte", len(references(rule))), ()
    fields = () if said.fieldref is None else (said.fieldref,) if isinstance(said.fieldref, str) else tuple(said.fieldref)
    return Threshold(said.op.name.lower(), said.count, said.percentile), fields


def references(rule: SigmaCorrelationRule) -> tuple[str, ...]:
    """The names a correlation calls its rules by."""
    if rule.rules:
        return tuple(dict.fromkeys(r.reference for r in rule.rules))
    return tuple(rule.condition.get_referenced_rules()) if isinstance(rule.condition, SigmaExtendedCorrelationCondition) else ()


def condition(rule: SigmaCorrelationRule) -> Named | None:
    """A written condition over rules, if there is one."""
    said = rule.condition
    return _named(said.parsed) if isinstance(said, SigmaExtendedCorrelationCondition) else None


def _named(item: Any) -> Named:  # noqa: ANN401 - as above
    if isinstance(item, SigmaRuleReference):
        return Named("rule", item.reference)
    for kind, op in ((CorrelationConditionAND, "and"), (CorrelationConditionOR, "or"), (CorrelationConditionNOT, "not")):
        if isinstance(item, kind):
            return Named(op, args=tuple(_named(a) for a in item.args))
    raise Unsupported("correlation", f"condition of kind {type(item).__name__}", "and, or, not over rules")


def aliases(rule: SigmaCorrelationRule) -> dict[str, dict[str, str]]:
    """Alias to field by rule name."""
    return {a.alias: {ref.reference: str(f) for ref, f in a.mapping.items()} for a in rule.aliases}


def span(rule: SigmaCorrelationRule) -> int:
    """The time span in µs."""
    return rule.timespan.seconds * MICRO
