"""Where records of delimited text begin and end (RFC 4180): a line feed outside quotes ends one.

A quote left open by damage would swallow the rest of a file: a record longer than `LONGEST`, or one of several lines
that has not the header's number of fields, is given up, and its first line stands alone (and will be refused).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

LONGEST = 1 << 16
QUOTE, FEED, RETURN = 34, 10, 13
Ints = NDArray[np.int64]


class Cut(NamedTuple):
    """Records of a buffer.

    Attributes:
        starts, ends: of each record; an end is before the line feed. plain: whether the record is one line with as many
        fields as the header and nothing but whole fields quoted, so that a vectorised parser may have it.
        done: bytes of the buffer that are used up.
    """

    starts: Ints
    ends: Ints
    plain: NDArray[np.bool_]
    done: int


def cut(buffer: bytes, separator: str, fields: int, *, final: bool) -> Cut:
    """Records of a buffer that begins at the beginning of a record. Blank lines are among them."""
    array = np.frombuffer(buffer, np.uint8)
    tidy = _tidy(array, ord(separator), fields)
    if tidy is None or len(buffer) - tidy.done > LONGEST:
        return _careful(buffer, separator, fields, final=final)
    if final and tidy.done < len(buffer):
        return _careful(buffer, separator, fields, final=True) if QUOTE in buffer[tidy.done :] else _tail(tidy, len(buffer))
    return tidy


def field_count(record: bytes, separator: bytes) -> int:
    """Number of fields of a record, separators inside quotes left out."""
    outside = record.split(b'"')[::2] if b'"' in record else [record]
    return 1 + sum(part.count(separator) for part in outside)


def _tidy(array: NDArray[np.uint8], separator: int, fields: int) -> Cut | None:
    """The records where quotes stand only around whole fields; None where they do not."""
    feeds = np.flatnonzero(array == FEED)
    separators = array == separator
    quotes = np.flatnonzero(array == QUOTE)
    if quotes.size:
        inside = np.bitwise_xor.accumulate((array == QUOTE).view(np.uint8)).astype(np.bool_)
        separators &= ~inside
        ends = feeds[~inside[feeds]]
    else:
        ends = feeds
    done = int(ends[-1]) + 1 if ends.size else 0
    if not _clean(array, quotes[quotes < done], separator):
        return None
    starts = np.concatenate(([0], ends[:-1] + 1)) if ends.size else ends
    count = np.diff(np.searchsorted(np.flatnonzero(separators), ends), prepend=0)
    right = count == fields - 1
    several = np.diff(np.searchsorted(feeds, ends), prepend=-1) > 1
    if (several & ~right).any() or (ends - starts > LONGEST).any():
        return None
    return Cut(starts, ends, right & ~several, done)


def _clean(array: NDArray[np.uint8], quotes: Ints, separator: int) -> bool:
    if not quotes.size:
        return True
    opening, closing = quotes[0::2], quotes[1::2]
    before = array[np.maximum(opening - 1, 0)]
    after = array[np.minimum(closing + 1, array.size - 1)]
    begins = (opening == 0) | (before == separator) | (before == FEED)
    beyond = array[np.minimum(closing + 2, array.size - 1)]
    ended = (after == separator) | (after == FEED) | ((after == RETURN) & (beyond == FEED))
    return bool(begins.all() and ended.all())


def _tail(tidy: Cut, size: int) -> Cut:
    """With the last line, which has no line feed."""
    return Cut(np.append(tidy.starts, tidy.done), np.append(tidy.ends, size), np.append(tidy.plain, False), size)


def _careful(buffer: bytes, separator: str, fields: int, *, final: bool) -> Cut:
    """The same, line by line, around damage."""
    starts: list[int] = []
    ends: list[int] = []
    plain: list[bool] = []
    mark, start = separator.encode(), 0
    while start < len(buffer):
        end = _end(buffer, start, mark, fields, final=final)
        if end is None:
            break
        record = buffer[start:end]
        starts.append(start)
        ends.append(end)
        plain.append(QUOTE not in record and record.count(mark) == fields - 1)
        start = end + 1
    done = min(start, len(buffer))
    return Cut(np.array(starts, np.int64), np.array(ends, np.int64), np.array(plain, np.bool_), done)


def _end(buffer: bytes, start: int, separator: bytes, fields: int, *, final: bool) -> int | None:
    """The end of the record that begins at `start`; None if more bytes must come to tell."""
    first = end = buffer.find(b"\n", start, start + LONGEST + 1)
    odd = 0
    line = start
    while end >= 0:
        odd ^= buffer.count(b'"', line, end) & 1
        if not odd:
            whole = end == first or field_count(buffer[start:end], separator) == fields
            return end if whole else first
        line = end + 1
        end = buffer.find(b"\n", line, start + LONGEST + 1)
    if len(buffer) - start > LONGEST:
        return first if first >= 0 else start + LONGEST
    if not final:
        return None
    odd ^= buffer.count(b'"', line) & 1
    if first < 0 or (not odd and field_count(buffer[start:], separator) == fields):
        return len(buffer)
    return first
