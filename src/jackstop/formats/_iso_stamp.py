"""ISO 8601 stamps, one at a time and a column at a time; both give the same answers (a property test holds it).

`2026-03-01T02:11:07.120Z`, `2026-03-01 02:11:07+01:00`, `2026-03-01T02:11:07` (a wall clock), years 1900 to 2199.
"""

import re
from datetime import UTC, datetime
from typing import NamedTuple

import polars as pl

from jackstop.formats._iso_columns import uniform
from jackstop.formats._localtime import naive

SECOND = 1_000_000
_D = "[0-9][0-9]"
_SHAPE = rf"^(?:19|20|21){_D}-{_D}-{_D}[T ]{_D}:{_D}:{_D}(?:[.,][0-9]{{1,9}})?(?:Z|[+-]{_D}:{_D})?$"
_WHOLE = re.compile(
    r"((?:19|20|21)\d\d)-?(\d\d)-?(\d\d)[T ](\d\d):?(\d\d)(?::?(\d\d)(?:[.,](\d{1,9}))?)?(?:(Z)|([+-])(\d\d):?(\d\d)?)?", re.ASCII
)
SCHEMA = {"stamp": pl.Int64(), "absolute": pl.Boolean(), "uncertainty": pl.Int64()}


_EPOCH = datetime(1970, 1, 1)
_EARLIEST, _LATEST = ((datetime(y, 1, 1) - _EPOCH).days for y in (1900, 2200))
_RESOLUTION = {20: SECOND} | {size: 10 ** max(0, 27 - size) for size in range(22, 31)}


class Stamp(NamedTuple):
    """µs since 1970, of UTC where `absolute`, else of the wall clock; and the resolution of the stamp in µs."""

    stamp: int
    absolute: bool
    uncertainty: int


def parse(text: str) -> Stamp | None:
    """One stamp; None where it is not one."""
    if text[4:17:3] == "--T::" and text[-1:] == "Z" and (quick := _quick(text)) is not None:
        return quick
    found = _WHOLE.fullmatch(text)
    if found is None:
        return None
    year, month, day, hour, minute, second, fraction, zulu, sign, ahead, past = found.groups()
    try:
        local = naive(int(year), int(month), int(day), int(hour), int(minute), int(second or 0))
    except ValueError:
        return None
    digits = (fraction or "")[:6]
    local += int(digits.ljust(6, "0"))
    if ahead and (int(ahead) > 18 or int(past or 0) > 59):
        return None
    offset = (int(ahead) * 60 + int(past or 0)) * 60 * SECOND if ahead else 0
    resolution = 10 ** (6 - len(digits)) if second else 60 * SECOND
    return Stamp(local + (offset if sign == "-" else -offset), bool(zulu or sign), resolution)


def _quick(text: str) -> Stamp | None:
    """A stamp of the commonest layout, `2026-03-01T02:11:07.120Z`; None leaves it to the pattern."""
    size = len(text)
    if size != 20 and not (22 <= size <= 30 and text[19] == "." and text[20:-1].isdigit() and text.isascii()):
        return None
    try:
        since = datetime.fromisoformat(text[:-1] if size <= 27 else text[:26]) - _EPOCH
    except ValueError:
        return None
    if not _EARLIEST <= since.days < _LATEST:
        return None
    return Stamp((since.days * 86400 + since.seconds) * SECOND + since.microseconds, True, _RESOLUTION[size])


def parse_all(texts: pl.Series) -> pl.DataFrame:
    """A column of stamps (see SCHEMA); null where a stamp has another spelling than the usual ones: ask `parse` then."""
    alike = uniform(texts)
    if alike is None:
        return _mixed(texts)
    stamps, valid, absolute, uncertainty = alike
    quick = pl.DataFrame({"stamp": pl.Series(stamps), "valid": pl.Series(valid)}).select(
        stamp=pl.when("valid").then("stamp"), absolute=pl.lit(absolute), uncertainty=pl.lit(uncertainty, pl.Int64)
    )
    if valid.all():
        return quick
    odd = pl.Series((~valid).nonzero()[0], dtype=pl.UInt32)
    other = _mixed(texts.gather(odd)).with_columns(row=odd)
    return quick.with_row_index("row").update(other, on="row", how="left").drop("row")


def _mixed(texts: pl.Series) -> pl.DataFrame:
    """The same where the stamps are of several layouts."""
    shaped = texts.is_not_null() & texts.str.contains(_SHAPE)
    whole = texts.to_frame("t").with_columns(ok=shaped)
    zulu = pl.col("t").str.ends_with("Z")
    frame = whole.select(
        "ok",
        day=pl.col("t").str.slice(0, 10).str.to_date("%Y-%m-%d", strict=False, cache=True).cast(pl.Int64),
        hour=_digits(11, 2),
        minute=_digits(14, 2),
        second=_digits(17, 2),
        zulu=zulu,
        rest=pl.col("t").str.slice(19),
    )
    frame = _fractions(_offsets(frame))
    valid = pl.col("ok") & (pl.col("hour") < 24) & (pl.col("minute") < 60) & (pl.col("second") < 60) & pl.col("day").is_not_null()
    seconds = pl.col("day") * 86400 + pl.col("hour") * 3600 + pl.col("minute") * 60 + pl.col("second") - pl.col("offset") * 60
    good = valid & (pl.col("offset").abs() <= 18 * 60 + 59)
    return frame.select(
        stamp=pl.when(good).then(seconds * SECOND + pl.col("micro")),
        absolute=pl.col("zulu") | pl.col("ahead"),
        uncertainty=pl.col("uncertainty"),
    )


def _digits(start: int, length: int) -> pl.Expr:
    return pl.col("t").str.slice(start, length).cast(pl.Int64, strict=False)


def _offsets(frame: pl.DataFrame) -> pl.DataFrame:
    """`ahead` (whether an offset is told) and `offset` in minutes."""
    if frame["zulu"].all():
        return frame.with_columns(ahead=pl.lit(value=False), offset=pl.lit(0, pl.Int64))
    tail = pl.col("rest").str.tail(6)
    ahead = tail.str.contains(f"^[+-]{_D}:{_D}$")
    size = tail.str.slice(1, 2).cast(pl.Int64, strict=False) * 60 + tail.str.slice(4, 2).cast(pl.Int64, strict=False)
    signed = pl.when(tail.str.starts_with("-")).then(-size).otherwise(size)
    strange = ahead & (tail.str.slice(4, 2).cast(pl.Int64, strict=False) > 59)
    return frame.with_columns(
        ahead=ahead.fill_null(value=False),
        offset=pl.when(ahead).then(signed).otherwise(pl.lit(0, pl.Int64)),
        ok=pl.col("ok") & ~strange,
    )


def _fractions(frame: pl.DataFrame) -> pl.DataFrame:
    """`micro` and `uncertainty` from the digits after the second."""
    if not frame["rest"].str.contains("^[.,]").any():
        return frame.with_columns(micro=pl.lit(0, pl.Int64), uncertainty=pl.lit(SECOND, pl.Int64))
    digits = pl.col("rest").str.extract("^[.,]([0-9]{1,6})").fill_null("")
    size = digits.str.len_bytes().cast(pl.Int64)
    return frame.with_columns(
        micro=digits.str.pad_end(6, "0").cast(pl.Int64, strict=False),
        uncertainty=pl.lit(10, pl.Int64).pow(6 - size).cast(pl.Int64),
    )


def write(time: int, digits: int = 3) -> str:
    """A UTC stamp of µs, with so many digits after the second: `2026-03-01T02:11:07.120Z`."""
    whole, micro = divmod(time, SECOND)
    text = datetime.fromtimestamp(whole, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{f'{micro:06d}'[:digits]}Z" if digits else f"{text}Z"
