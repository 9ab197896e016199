"""Rules and correlations that name each other become ones that can run; what cannot is a fault."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sigma.correlations import SigmaCorrelationRule

from jackstop.rules import _pysigma as sigma
from jackstop.rules import extension
from jackstop.rules.documents import Document
from jackstop.rules.fault import Fault, Unsupported
from jackstop.rules.place import at, codes, column
from jackstop.rules.rule import About, Correlation, Named, Rule, Threshold, Variant
from jackstop.rules.sources import Place
from jackstop.rules.tree import NEVER, Node

Fields = dict[str, dict[str, str]]
Linked = tuple[tuple[Rule, ...], tuple[Correlation, ...], list[Fault]]


@dataclass(frozen=True, slots=True)
class Draft:
    """A document read by itself: a rule's tree, source and places, or a correlation as pySigma has it."""

    document: Document
    about: About
    tree: Node | None = None
    source: str = ""
    places: tuple[Place, ...] = ()
    when: str | None = None
    correlation: SigmaCorrelationRule | None = None

    def fault(self, kind: str, what: str, expected: str, *line: str) -> Fault:
        """A fault of this document."""
        return Fault(self.document.path, self.document.line(*line), kind, what, expected)


def link(drafts: Sequence[Draft]) -> Linked:
    """Rules, correlations (each after those it names), faults."""
    kept, faults = _once(drafts)
    names = {d.about.name: d.about.id for d in kept if d.about.name} | {d.about.id: d.about.id for d in kept}
    correlations: dict[str, Correlation] = {}
    by_id = {d.about.id: d for d in kept}
    waiting = [d for d in kept if d.correlation is not None]
    while waiting:
        ready = [d for d in waiting if all(_there(n, names, by_id, correlations) for n in sigma.references(_said(d)))]
        if not ready:
            break
        for draft in ready:
            try:
                correlations[draft.about.id] = _correlation(draft, names, _Known(by_id, correlations))
            except Unsupported as said:
                line = (extension.KEY,) if said.kind == "absence" and extension.KEY in draft.document.body else ("correlation",)
                faults.append(draft.fault(said.kind, said.what, said.expected, *line))
                by_id.pop(draft.about.id)
        waiting = [d for d in waiting if d not in ready]
    faults += [_unlinked(d, names, by_id) for d in waiting]
    quiet = {r for d in kept if d.correlation is not None and not d.correlation.generate for r in _quiet(d, names)}
    rules, wrong = _rules([d for d in kept if d.correlation is None], correlations, quiet)
    there = {r.about.id for r in rules}
    running, lost = _running(correlations, there, by_id)
    return rules, tuple(replace(c, alone=c.about.id not in quiet) for c in running), [*faults, *wrong, *lost]


def _once(drafts: Sequence[Draft]) -> tuple[list[Draft], list[Fault]]:
    """Drafts whose id and name are nobody else's."""
    seen: dict[str, Draft] = {}
    kept, faults = [], []
    for draft in drafts:
        words = {draft.about.id, draft.about.name} - {""}
        twin = next((seen[w] for w in sorted(words) if w in seen), None)
        if twin is not None:
            where = f"{twin.about.path}:{twin.about.line}"
            faults.append(draft.fault("sigma", f"id or name {draft.about.id!r} is also in {where}", "an id of its own", "id"))
            continue
        seen |= dict.fromkeys(words, draft)
        kept.append(draft)
    return kept, faults


def _said(draft: Draft) -> SigmaCorrelationRule:
    if draft.correlation is None:
        raise TypeError("a rule is no correlation")
    return draft.correlation


def _there(name: str, names: dict[str, str], by_id: dict[str, Draft], done: dict[str, Correlation]) -> bool:
    found = by_id.get(names.get(name, ""))
    return found is not None and (found.correlation is None or found.about.id in done)


def _quiet(draft: Draft, names: dict[str, str]) -> list[str]:
    return [names[n] for n in sigma.references(_said(draft)) if n in names]


def _unlinked(draft: Draft, names: dict[str, str], by_id: dict[str, Draft]) -> Fault:
    missing = [n for n in sigma.references(_said(draft)) if names.get(n, "") not in by_id]
    if missing:
        return draft.fault("correlation", f"names {', '.join(missing)}", "rules that are loaded", "correlation", "rules")
    return draft.fault(
        "correlation", "correlations name each other in a circle", "one that ends at rules", "correlation", "rules"
    )


def _correlation(draft: Draft, names: dict[str, str], known: "_Known") -> Correlation:
    said = _said(draft)
    ids = tuple(names[n] for n in sigma.references(said))
    reach, counted = sigma.threshold(said)
    condition = sigma.condition(said)
    kind = said.type.name.lower()
    span = sigma.span(said)
    window = extension.absence(draft.about.extension, condition, kind == "temporal_ordered", span)
    aliases = {a: {names[r]: f for r, f in m.items() if r in names} for a, m in sigma.aliases(said).items()}
    if kind == "value_percentile" and (reach.percentile is None or not 0 <= reach.percentile <= 100):
        raise Unsupported("correlation", f"percentile {reach.percentile}", "a percentile from 0 to 100")
    if kind != "value_count" and len(counted) > 1:
        raise Unsupported("correlation", f"{kind} of several fields", "one field")
    _refuse(kind, reach, condition, ids)
    return Correlation(
        draft.about,
        kind,
        ids,
        span,
        _fields(said.group_by or (), ids, aliases, known),
        _fields(counted, ids, aliases, known),
        reach,
        None if condition is None else _by_id(condition, names),
        None if window is None else replace(window, trigger=names[window.trigger], absent=tuple(names[n] for n in window.absent)),
    )


def _refuse(kind: str, reach: Threshold, condition: Named | None, ids: tuple[str, ...]) -> None:
    """Refuse what has no meaning.

    Raises:
        Unsupported: it asks for silence, which no hit can tell; or an order of other than all rules.
    """
    low = (reach.op == "lt" and reach.count <= 1) or (reach.op in {"lte", "eq"} and reach.count <= 0)
    if kind in {"event_count", "value_count"} and low:
        raise Unsupported(
            "correlation", f"{kind} {reach.op} {reach.count:g} asks for silence", "temporal with `not` and an absence block"
        )
    if kind == "temporal" and condition is None and reach.op not in {"gte", "gt", "eq"}:
        raise Unsupported(
            "correlation", f"temporal {reach.op} {reach.count:g} asks for silence", "gte, or `not` and an absence block"
        )
    if kind == "temporal_ordered" and (
        (reach.op, reach.count) not in {("gte", len(ids)), ("eq", len(ids))}
        or (condition is not None and (condition.op != "and" or any(a.op != "rule" for a in condition.args)))
    ):
        raise Unsupported("correlation", "temporal_ordered of other than all rules", "all of them, in the order of `rules`")


def _fields(said: Sequence[str], ids: tuple[str, ...], aliases: Fields, known: "_Known") -> Fields:
    """The field of each name by rule id.

    Raises:
        Unsupported: a correlation named does not group by it; a rule's table has no such column.
    """
    found: Fields = {}
    for name in said:
        found[name] = {i: aliases.get(name, {}).get(i, name) for i in ids}
        for i, its in found[name].items():
            if i in known.done and its not in known.done[i].group:
                title = known.done[i].about.title
                raise Unsupported("correlation", f"{its} is no group of the correlation {title!r}", "one of its group-by")
            for place in known.drafts[i].places:
                column(its, place)
    return found


@dataclass(frozen=True, slots=True)
class _Known:
    """What correlations can name: drafts by id, and the correlations that are done."""

    drafts: dict[str, Draft]
    done: dict[str, Correlation]


def _by_id(said: Named, names: dict[str, str]) -> Named:
    return Named(said.op, names.get(said.rule, said.rule), tuple(_by_id(a, names) for a in said.args))


def _rules(
    drafts: Sequence[Draft], correlations: dict[str, Correlation], quiet: set[str]
) -> tuple[tuple[Rule, ...], list[Fault]]:
    """Rules at their places."""
    keeps: dict[str, set[str]] = {d.about.id: set(d.about.fields) for d in drafts if d.about.extension}
    for c in correlations.values():
        for by_rule in (*c.group.values(), *c.counted.values()):
            for rule, name in by_rule.items():
                keeps.setdefault(rule, set()).add(name)
    rules, faults = [], []
    for draft in drafts:
        try:
            variants = _variants(draft, sorted(keeps.get(draft.about.id, ())))
        except Unsupported as said:
            document = draft.document
            for one in said.all():
                line = document.line_of_field(one.field) if one.field is not None else document.line("detection")
                faults.append(Fault(document.path, line, one.kind, one.what, one.expected))
            continue
        if not variants:
            faults.append(draft.fault("unsupported", "can hold nowhere", "a condition that some event can meet", "detection"))
            continue
        tree = draft.tree or NEVER
        rules.append(Rule(draft.about, draft.source, variants, tree, draft.when, draft.about.id not in quiet))
    return tuple(rules), faults


def _variants(draft: Draft, keeps: list[str]) -> tuple[Variant, ...]:
    """A rule at each of its places where it can hold at all."""
    found = []
    for place in draft.places:
        tree = at(draft.tree or NEVER, place)
        ids = codes(tree) if place.table == "windows" and not place.own else None
        where = place.codes if ids is None else ids if place.codes is None else ids & place.codes
        if tree == NEVER or (where is not None and not where):
            continue
        found.append(Variant(place.table, place.channel, where, tree, tuple((k, column(k, place)) for k in keeps)))
    return tuple(found)


def _running(
    correlations: dict[str, Correlation], there: set[str], by_id: dict[str, Draft]
) -> tuple[list[Correlation], list[Fault]]:
    """Correlations whose rules all run."""
    running, faults = [], []
    for c in correlations.values():
        lost = [r for r in c.rules if r not in there]
        if lost:
            faults.append(
                by_id[c.about.id].fault("correlation", f"cannot run without {', '.join(lost)}", "rules that load", "correlation")
            )
            continue
        there.add(c.about.id)
        running.append(c)
    return running, faults
