"""What the records of a switch export mean, a column at a time: typed columns, and why a record cannot be read.

ISO 8583:1987 response codes (field 39): 00, 10 and 11 let cash move; the later editions write 000, 002, 003.
"""

import re

import polars as pl

from jackstop.formats import _currencies, _iso_stamp
from jackstop.formats._localtime import naive
from jackstop.formats._masking import mask
from jackstop.formats._switch_fields import RAGGED
from jackstop.model.fleet import Reading
from jackstop.model.vocabulary import QUALITY

COLUMNS = (
    "time",
    "terminal_id",
    "type",
    "amount",
    "currency",
    "response",
    "stan",
    "rrn",
    "auth_code",
    "note_mix",
    "reference",
)
ACTIVITIES = {"withdrawal": "reply", "reversal": "reversal", "advice": "advice", "partial": "partial"}
IGNORED = frozenset(
    "balance balance-inquiry inquiry deposit transfer payment purchase refund statement pin-change network echo".split()
)
APPROVALS = ("00", "10", "11", "000", "002", "003", "0000", "0002", "0003")
_TEXTS = ("terminal_id", "response", "stan", "rrn", "auth_code", "reference")
_SUSPECT = "[0-9](?:[ -]?[0-9]){12}|[;%][A-Z]?[0-9]{8}"
_DAY_FIRST = re.compile(r"(\d{1,4})[./-](\d{1,2})[./-](\d{1,4})[ T]{1,2}(\d{1,2}):(\d\d)(?::(\d\d)(?:[.,](\d{1,6}))?)?", re.ASCII)
NO_ORDER = "date order not declared, expected date_order = dmy|mdy|ymd in fleet.toml"
_BAD_TIME = "time is not a stamp, expected ISO 8601 such as 2026-03-01T02:11:07Z"
_PLACES = {"dmy": (2, 1, 0), "mdy": (2, 0, 1), "ymd": (0, 1, 2)}


def interpret(fields: pl.DataFrame, reading: Reading) -> pl.DataFrame:
    """Records as typed columns, one row each.

    Returns:
        activity, approved, amount, currency, counts, the texts (card numbers masked), stamp (µs since 1970), absolute
        (whether stamp is UTC or a wall clock), uncertainty (µs), quality, ignored, and reason (null where it can be read).
    """
    stamps = _stamps(fields["time"], reading.date_order)
    typed = fields.with_columns(
        stamps.get_columns(),
        kind=pl.col("type").str.to_lowercase(),
        money=pl.col("amount").str.extract("^([0-9]{1,15})$").cast(pl.Int64),
        letters=_currency(fields["currency"], reading.currency),
        counts=_counts(fields["note_mix"]),
    ).with_columns(
        activity=pl.col("kind").replace_strict(ACTIVITIES, default=None, return_dtype=pl.String),
        ignored=pl.col("kind").is_in(list(IGNORED)).fill_null(value=False),
        decides=pl.col("response").is_in(APPROVALS),
    )
    masked = _masked(typed)
    approved = (
        pl.when(pl.col("kind") == "withdrawal")
        .then(pl.col("decides"))
        .when(pl.col("kind") == "advice")
        .then(pl.col("decides").fill_null(value=True))
    )
    return masked.select(
        *("activity", "counts", *_TEXTS, "stamp", "absolute", "uncertainty", "ignored", "quality"),
        approved=approved,
        amount="money",
        currency="letters",
        reason=_reason(reading),
    )


def _reason(reading: Reading) -> pl.Expr:
    """Why a record cannot be read: the first fault found, in constant words."""
    kind, money = pl.col("kind"), pl.col("amount")
    needed = kind.is_in(["advice", "partial"]) | (kind == "withdrawal") & pl.col("decides")
    named = pl.lit(value=reading.terminal is not None) | pl.col("terminal_id").is_not_null()
    faults: list[tuple[pl.Expr, str | pl.Expr]] = [
        (pl.col("activity").is_null() & ~pl.col("ignored"), f"type unknown, expected {', '.join(ACTIVITIES)}"),
        (pl.col("stamp").is_null(), pl.col("fault")),
        (~named, "terminal_id is empty"),
        (money.is_not_null() & pl.col("money").is_null(), "amount is not a whole number of minor units"),
        (needed & money.is_null(), "amount is empty"),
        (pl.col("letters").is_null(), "currency unknown, expected an ISO 4217 code"),
        ((kind == "withdrawal") & pl.col("response").is_null(), "response is empty, expected an ISO 8583 response code"),
        (pl.col("note_mix").is_not_null() & pl.col("counts").is_null(), "note_mix is not counts, expected such as 0,2,0,5"),
    ]
    found = [pl.when(c).then(pl.lit(w) if isinstance(w, str) else w) for c, w in faults]
    return pl.when("ragged").then(pl.lit(RAGGED)).when(~pl.col("ignored")).then(pl.coalesce(found))


def _stamps(times: pl.Series, order: str | None) -> pl.DataFrame:
    """stamp, absolute, uncertainty and fault of a column of times; spellings out of the usual one by one."""
    told = _iso_stamp.parse_all(times)
    odd = told["stamp"].is_null() & times.is_not_null()
    fault = pl.Series("fault", [_BAD_TIME], dtype=pl.String).new_from_index(0, len(times))
    if not odd.any():
        return told.with_columns(fault)
    places = odd.arg_true()
    parsed = [_odd(t, order) for t in times.gather(places)]
    schema = {**_iso_stamp.SCHEMA, "fault": pl.String()}
    mended = pl.DataFrame(parsed, schema=schema, orient="row").with_columns(row=places.cast(pl.UInt32))
    whole = told.with_columns(fault).with_row_index("row")
    return whole.update(mended, on="row", how="left").drop("row")


def _odd(text: str, order: str | None) -> tuple[int | None, bool | None, int | None, str]:
    if (stamp := _iso_stamp.parse(text)) is not None:
        return (*stamp, _BAD_TIME)
    found = _DAY_FIRST.fullmatch(text)
    if found is None:
        return None, None, None, _BAD_TIME
    if order is None:
        return None, None, None, NO_ORDER
    parts = [int(p) for p in found.groups()[:3]]
    year, month, day = (parts[i] for i in _PLACES[order])
    hour, minute, second, fraction = found.groups()[3:]
    digits = fraction or ""
    try:
        local = naive(year + 2000 * (year < 100), month, day, int(hour), int(minute), int(second or 0), int(digits.ljust(6, "0")))
    except ValueError:
        return None, None, None, _BAD_TIME
    return local, False, 10 ** (6 - len(digits)) if second else 60_000_000, _BAD_TIME


def _currency(codes: pl.Series, default: str) -> pl.Series:
    """ISO 4217 letters; few distinct codes, so each is looked up once."""
    distinct = codes.unique().drop_nulls().to_list()
    known = {c: letters for c in distinct if (letters := _currencies.letters(c, default))}
    found = codes.replace_strict(known, default=None, return_dtype=pl.String)
    return found.scatter(codes.is_null().arg_true(), default) if codes.null_count() else found


def _counts(mixes: pl.Series) -> pl.Series:
    """Notes per cassette type: `0,2,0,5`; null where it is not that."""
    frame = mixes.to_frame("m").select(
        pl.when(pl.col("m").str.contains("^ ?[0-9]{1,6}(?:, ?[0-9]{1,6}){0,31}$")).then(
            pl.col("m").str.replace_all(" ", "", literal=True)
        )
    )
    return frame["m"].str.split(",").cast(pl.List(pl.Int32))


def _masked(typed: pl.DataFrame) -> pl.DataFrame:
    """Card numbers in texts masked; `quality` says so, and where bytes were replaced."""
    marked = typed.with_columns(quality=pl.col("replaced").cast(pl.UInt32) * QUALITY["bad-bytes"][0])
    longest = typed.select(pl.col(_TEXTS).str.len_bytes().max()).row(0)
    for name in (n for n, size in zip(_TEXTS, longest, strict=True) if (size or 0) >= 13):
        suspect = typed[name].str.contains(_SUSPECT).fill_null(value=False)
        if suspect.any():
            shown = [mask(t) if s else t for t, s in zip(typed[name], suspect, strict=True)]
            hidden = pl.Series(name, shown, dtype=pl.String)
            changed = (hidden != typed[name]).fill_null(value=False).cast(pl.UInt32)
            marked = marked.with_columns(hidden, quality=pl.col("quality") | changed * QUALITY["masked"][0])
    return marked
