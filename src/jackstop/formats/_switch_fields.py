"""Fields of a switch export's records: a column at a time where records are plain, one by one where they are not.

Both ways give the same fields (a property test holds it): RFC 4180 quoting, blanks around a field dropped, an empty
field is null.
"""

import re
from collections.abc import Iterable
from functools import cache

import polars as pl

BLANKS = " \t\r\ufeff"
RAGGED = "has not the header's number of fields, or quotes out of place"
REPLACED = "\ufffd"
SEPARATORS = ",;\t|"


def separator(header: str) -> str:
    """The separator a header line uses: the commonest of comma, semicolon, tab and bar; a comma where there is none."""
    return max(SEPARATORS, key=lambda s: (header.count(s), s == ","))


def split(record: str, mark: str) -> list[str] | None:
    """Fields of one record, blanks and quotes removed; None where quotes stand elsewhere than around whole fields."""
    if '"' not in record:
        return [f.strip(BLANKS) for f in record.split(mark)]
    fields: list[str] = []
    field = _field(mark)
    at = 0
    while found := field.match(record, at):
        quoted, bare, end = found.groups()
        fields.append((bare if quoted is None else quoted.replace('""', '"')).strip(BLANKS))
        if not end:
            return fields
        at = found.end()
    return None


@cache
def _field(mark: str) -> re.Pattern[str]:
    blank = " " if mark == "\t" else " \t"
    m = re.escape(mark)
    return re.compile(rf'(?:[{blank}]*"((?:[^"]|"")*)"[{blank}\r]*|([^"{m}]*))({m}|\Z)')


def text(raw: bytes, encoding: str) -> str:
    """Bytes as text; bytes outside the encoding become U+FFFD."""
    return raw.decode(encoding, errors="replace")


def fields(records: list[bytes], plain: pl.Series, places: dict[str, int], mark: str, encoding: str, width: int) -> pl.DataFrame:
    """The wanted fields of records, `ragged` where a record has not `width` fields, `replaced` where bytes outside the
    encoding were replaced.

    Args:
        records: bytes of each. plain: which of them the vectorised parser may have (see `_csv_framing.Cut`).
        places: field name to its place in the record. mark: the separator. width: fields in the header.
    """
    if not records or plain.all():
        quick = _columns(records, places, mark, encoding, width)
        return quick if quick is not None else _one_by_one(records, places, mark, encoding, width)
    rows = pl.DataFrame({"plain": plain}).with_row_index("row")
    good = rows.filter("plain")["row"].to_list()
    rest = rows.filter(~pl.col("plain"))["row"].to_list()
    slow = _one_by_one([records[i] for i in rest], places, mark, encoding, width)
    quick = _columns([records[i] for i in good], places, mark, encoding, width)
    if quick is None:
        quick = _one_by_one([records[i] for i in good], places, mark, encoding, width)
    order = pl.Series([*good, *rest], dtype=pl.UInt32)
    return pl.concat([quick, slow])[order.arg_sort()]


def _columns(records: list[bytes], places: dict[str, int], mark: str, encoding: str, width: int) -> pl.DataFrame | None:
    """Fields of plain records by the vectorised parser; None where it and the framing disagree."""
    if not records:
        return None
    block = b"\n".join(records) + b"\n"
    clean = block.isascii()
    if not clean:
        block = text(block, encoding).encode()
    block = block.replace(b"\r\n", b"\n") if b"\r" in block else block
    wanted = sorted(set(places.values()))
    bare = clean and not any(b in block for b in (b" ", b"\t", b"\r"))
    try:
        parsed = pl.read_csv(block, has_header=False, separator=mark, columns=wanted, infer_schema=False, null_values=[""])
    except pl.exceptions.PolarsError:
        return None
    if parsed.height != len(records) or parsed.width != len(wanted):
        return None
    named = dict(zip(wanted, parsed.columns, strict=True))
    found = parsed.select((pl.col(named[p]) if bare else _tidy(named[p])).alias(n) for n, p in places.items())
    return found.with_columns(ragged=pl.lit(value=False), replaced=pl.lit(value=False) if clean else _replaced(places))


def _tidy(column: str) -> pl.Expr:
    bare = pl.col(column).str.strip_chars(BLANKS)
    return pl.when(bare != "").then(bare)


def _replaced(places: Iterable[str]) -> pl.Expr:
    """Whether bytes of a record's fields were replaced."""
    return pl.any_horizontal(pl.col(n).str.contains(REPLACED, literal=True) for n in places).fill_null(value=False)


def _one_by_one(records: list[bytes], places: dict[str, int], mark: str, encoding: str, width: int) -> pl.DataFrame:
    """The same, record by record."""
    found: list[list[str] | None] = []
    for record in records:
        fields = split(text(record, encoding).rstrip("\r"), mark)
        found.append(fields if fields is not None and len(fields) == width else None)
    columns = {n: [f[p] or None if f else None for f in found] for n, p in places.items()}
    schema = {**dict.fromkeys(places, pl.String()), "ragged": pl.Boolean()}
    frame = pl.DataFrame({**columns, "ragged": [f is None for f in found]}, schema=schema)
    return frame.with_columns(replaced=_replaced(places))
