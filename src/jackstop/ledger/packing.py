"""Packing: a state of frames as values MessagePack can hold, and back."""

from collections.abc import Mapping
from dataclasses import fields

import msgspec
import polars as pl

from jackstop.ledger.shelves import Shelves


def pack(value: object) -> object:
    """Dataclasses, mappings and numbers with their frames as Arrow IPC streams; what is empty takes next to nothing."""
    if isinstance(value, pl.DataFrame):
        return _frame(value)
    if isinstance(value, Shelves):
        return {n: _frame(f) for n, f in value.whole().items()}
    if isinstance(value, Mapping):
        return {k: pack(v) for k, v in value.items()}
    if isinstance(value, int):
        return value
    return {f.name: pack(getattr(value, f.name)) for f in fields(value)}  # type: ignore[arg-type]


def _frame(frame: pl.DataFrame) -> bytes:
    return frame.write_ipc(None, compression="zstd" if frame.height > _FEW else "uncompressed").getvalue()


_FEW = 1_000
"""Rows up to which compressing costs more than it saves."""


def unpack(like: object, packed: object) -> object:
    """What `pack` was given.

    Args:
        like: a value of the same kind, such as the state before the first row: how it is made up.

    Raises:
        msgspec.DecodeError: it is not of that kind.
    """
    if isinstance(packed, bytes):
        try:
            return pl.read_ipc(packed)
        except (pl.exceptions.PolarsError, OSError) as fault:
            raise msgspec.DecodeError(f"a frame of the snapshot cannot be read: {fault}") from None
    if isinstance(packed, int):
        return packed
    if not isinstance(packed, dict):
        raise msgspec.DecodeError(f"unexpected {type(packed).__name__} in a snapshot")
    if isinstance(like, Shelves):
        shelves = Shelves(like.count, {})
        for name, frame in packed.items():
            shelves = shelves.put(name, pl.read_ipc(frame))
        return shelves
    if isinstance(like, dict) or like is None:
        return {k: unpack(None, v) for k, v in packed.items()}
    names = {f.name for f in fields(like)}  # type: ignore[arg-type]
    if names != packed.keys():
        raise msgspec.DecodeError(f"a snapshot with {', '.join(map(str, sorted(packed)))}, expected {', '.join(sorted(names))}")
    return type(like)(**{k: unpack(getattr(like, k), v) for k, v in packed.items()})
