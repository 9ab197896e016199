"""What a detection is given and what it gives: a view of one terminal fleet's recent past, and claims about it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl

from jackstop.ledger.episodes import later
from jackstop.ledger.verdicts import ident
from jackstop.model.fleet import Fleet, Terminal
from jackstop.model.settings import MINUTE, Settings
from jackstop.model.tables import RECORD

CLAIMS = {
    "key": pl.UInt64(),
    "terminal": pl.String(),
    "at": pl.Int64(),
    "decided": pl.Int64(),
    "severity": pl.String(),
    "amount": pl.Int64(),
    "currency": pl.String(),
    "detail": pl.String(),
    "records": pl.List(RECORD),
    "verdicts": pl.List(pl.String),
}
GRACE = 15 * MINUTE


@dataclass(frozen=True, slots=True)
class Text:
    """Words in English and Japanese."""

    en: str
    ja: str


@dataclass(frozen=True, slots=True)
class Detection:
    """What a detection says of itself.

    Attributes:
        title, why, first_step: for people. attack: ATT&CK ids. level: the gravest severity it claims.
        needs: tables without which it is blind. silenced_by: permits of a visit that explain it.
        gaps: what it cannot see.
        stage: word of `vocabulary.STAGE` its findings are a sign of; empty where they are a sign of none by themselves.
    """

    title: Text
    why: Text
    first_step: Text
    level: str
    needs: tuple[str, ...]
    gaps: str
    attack: tuple[str, ...] = ()
    silenced_by: tuple[str, ...] = ()
    stage: str = ""


@dataclass(frozen=True, slots=True)
class View:
    """The recent past as detections see it. Frames have the ledger's columns: `at` (host clock, µs), `arrival`.

    Attributes:
        rows: tables within their look-back. movements, idle, losses, undone, disks: see `ledger.book` and `ledger.disks`.
        visits: all known visits. fleet, settings: configuration. signals: recent hits of rules, see `rules.RuleSet.match`.
        drains: hours in which far more cash left than is usual then, see `ledger.outflow`. risen: see `ledger.drift`.
        known: what several detections ask of the view, worked out once (see `once`).
    """

    rows: Mapping[str, pl.DataFrame]
    movements: pl.DataFrame
    idle: pl.DataFrame
    losses: pl.DataFrame
    undone: pl.DataFrame
    disks: pl.DataFrame
    visits: pl.DataFrame
    fleet: Fleet
    settings: Settings
    signals: pl.DataFrame = field(default_factory=pl.DataFrame)
    drains: pl.DataFrame = field(default_factory=pl.DataFrame)
    risen: pl.DataFrame = field(default_factory=pl.DataFrame)
    known: dict[str, pl.DataFrame | None] = field(default_factory=dict, compare=False, repr=False)

    def table(self, name: str) -> pl.DataFrame | None:
        """A table's rows, or None where there are none."""
        frame = self.rows.get(name)
        return frame if frame is not None and frame.height else None

    def once(self, name: str, made: Callable[["View"], pl.DataFrame | None]) -> pl.DataFrame | None:
        """What `made` gives for this view, worked out when it is first asked for."""
        if name not in self.known:
            self.known[name] = made(self)
        return self.known[name]


def none() -> pl.DataFrame:
    """No claims."""
    return _NONE


_NONE = pl.DataFrame(schema=CLAIMS)


def record() -> pl.Expr:
    """The row's own record, as the evidence of a claim."""
    return pl.concat_list(pl.struct("source", "record_offset", "record_length", "record_digest"))


def claims(
    frame: pl.DataFrame,
    severity: pl.Expr | str,
    *,
    key: str = "event_id",
    decided: str | pl.Expr = "arrival",
    amount: str | pl.Expr | None = None,
    detail: pl.Expr | None = None,
    records: pl.Expr | None = None,
    verdict: pl.Expr | None = None,
) -> pl.DataFrame:
    """Rows as claims: one each, at the row's `at`."""
    if not frame.height:
        return none()
    level = pl.lit(severity) if isinstance(severity, str) else severity
    currency = pl.col("currency") if "currency" in frame.columns else pl.lit(None, pl.String)
    return frame.select(
        key=pl.col(key),
        terminal="terminal",
        at="at",
        decided=decided,
        severity=level,
        amount=pl.lit(0, pl.Int64) if amount is None else amount,
        currency=currency,
        detail=pl.lit("") if detail is None else detail.fill_null(""),
        records=record() if records is None else records,
        verdicts=pl.lit([], pl.List(pl.String)) if verdict is None else pl.concat_list(verdict),
    ).cast(CLAIMS)  # type: ignore[arg-type]


def movement_claims(moved: pl.DataFrame, severity: pl.Expr | str, *, decided: str | pl.Expr = "decided") -> pl.DataFrame:
    """Judged episodes as claims for what they picked or showed."""
    if not moved.height:
        return none()
    return claims(
        moved,
        severity,
        key="id",
        decided=decided,
        amount=pl.max_horizontal("picked", "shown"),
        detail=pl.col("reason"),
        records=pl.concat_list("records", pl.col("auth_records").fill_null([])),
        verdict=ident(prefix="e"),
    )


def unpermitted(frame: pl.DataFrame, visits: pl.DataFrame, *permits: str) -> pl.DataFrame:
    """Rows (terminal, at) outside every visit, give or take a quarter of an hour, that permits one of these.

    A row whose local time exists twice is outside only if it is by both readings.
    """
    if not frame.height or not visits.height:
        return frame
    theirs = visits.filter(pl.col("terminal").is_in(frame["terminal"].unique().implode()))
    if not theirs.height:
        return frame
    allowed = theirs.filter(pl.col("permits").list.set_intersection(list(permits)).list.len() > 0).select(
        "terminal", _from=pl.col("time").to_physical() - GRACE, _to=pl.col("until").to_physical() + GRACE
    )
    if not allowed.height:
        return frame
    numbered = frame.with_row_index("_row")
    inside = (
        numbered.select("_row", "terminal", "at", _again=later() if "quality" in frame.columns else pl.lit(0))
        .join(allowed, on="terminal")
        .filter(pl.col("at").is_between("_from", "_to") | (pl.col("at") + pl.col("_again")).is_between("_from", "_to"))
    )
    return numbered.join(inside.select("_row").unique(), on="_row", how="anti").drop("_row")


def follows(frame: pl.DataFrame, sign: pl.DataFrame, within: int) -> pl.DataFrame:
    """Rows that have a sign at the same terminal at most `within` µs before, with `sign_at` and `sign_record`."""
    if not frame.height or not sign.height:
        return frame.clear().with_columns(sign_at=pl.lit(None, pl.Int64), sign_record=pl.lit(None, pl.List(RECORD)))
    signs = sign.select("terminal", sign_at="at", sign_record=record()).sort("sign_at")
    joined = frame.sort("at").join_asof(
        signs, left_on="at", right_on="sign_at", by="terminal", tolerance=within, check_sortedness=False
    )
    return joined.filter(pl.col("sign_at").is_not_null())


def with_hours(frame: pl.DataFrame, fleet: Fleet) -> pl.DataFrame:
    """Rows with `closed`: whether the terminal's site was closed at that time; a site with no hours is never closed."""
    terminals = by_id(fleet)
    closed = []
    for terminal, at in zip(frame["terminal"], frame["at"], strict=True):
        known = terminals.get(terminal)
        site, zone = (None, ZoneInfo("UTC")) if known is None else (known.site, ZoneInfo(known.timezone or fleet.fleet.timezone))
        local = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at)).astimezone(zone)
        closed.append(site is not None and not site.is_open(local.weekday(), local.time()))
    return frame.with_columns(closed=pl.Series(closed, dtype=pl.Boolean))


def by_id(fleet: Fleet) -> Mapping[str, Terminal]:
    """The terminals of a fleet by their id; worked out once for the fleet at hand."""
    if not _FLEET or _FLEET[0][0] is not fleet:
        _FLEET[:] = [(fleet, {t.id: t for t in fleet.terminal})]
    return _FLEET[0][1]


_FLEET: list[tuple[Fleet, dict[str, Terminal]]] = []


def suspicious(view: View) -> pl.DataFrame:
    """Movements that evidence speaks against or nothing explains, and that picked notes."""
    return view.once("suspicious", _suspicious)  # type: ignore[return-value]


def _suspicious(view: View) -> pl.DataFrame:
    if not view.movements.height:
        return view.movements
    bad = pl.col("verdict").is_in(["unexplained", "contradicted"])
    return view.movements.filter(bad & ((pl.col("picked") > 0) | (pl.col("shown") > 0)))


def doubtful(view: View) -> pl.DataFrame:
    """Movements that picked or showed notes and that neither an approval nor a visit explains, proven bad or not."""
    return view.once("doubtful", _doubtful)  # type: ignore[return-value]


def _doubtful(view: View) -> pl.DataFrame:
    if not view.movements.height:
        return view.movements
    known = pl.col("verdict").is_in(["explained", "explained-by-visit"])
    return view.movements.filter(~known & ((pl.col("picked") > 0) | (pl.col("shown") > 0)))


def with_session(moved: pl.DataFrame, view: View) -> pl.DataFrame:
    """Movements with `served`: whether the journal shows a customer's session open then; null where there is no journal."""
    cash = view.table("cash")
    if cash is None or not moved.height:
        return moved.with_columns(served=pl.lit(None, pl.Boolean))
    marks = (
        cash.filter(pl.col("activity").is_in(SESSION) & (pl.col("layer") == "application"))
        .select("terminal", mark_at="at", mark=pl.col("activity").cast(pl.String))
        .sort("mark_at", "mark")
    )
    near = moved.with_columns(_until=pl.col("at") + view.settings.early).sort("_until", "id")
    joined = near.join_asof(
        marks, left_on="_until", right_on="mark_at", by="terminal", tolerance=LONGEST_SESSION, check_sortedness=False
    )
    served = (pl.col("mark") != "session-end").fill_null(value=False)
    return joined.with_columns(served=pl.when("has_journal").then(served)).drop("_until", "mark", "mark_at")


SESSION = ("session-start", "card", "pin", "request-sent", "reply-received", "session-end")
LONGEST_SESSION = 10 * MINUTE
"""µs after its last mark at which a session that was not ended is taken to be over."""


def openings(view: View) -> pl.DataFrame | None:
    """Doors and lids opened without a visit that permits it; None where no cabinet row is known."""
    return view.once("openings", _openings)


def _openings(view: View) -> pl.DataFrame | None:
    cabinet = view.table("cabinet")
    if cabinet is None:
        return None
    opened = cabinet.filter((pl.col("activity") == "opened") & (pl.col("part") != "site"))
    inside = pl.col("part") == "safe"
    return pl.concat(
        [
            unpermitted(opened.filter(~inside), view.visits, "open-cabinet", "open-safe"),
            unpermitted(opened.filter(inside), view.visits, "open-safe", "exchange"),
        ]
    )
