"""What the loop remembers, as bytes for a checkpoint: the engine's state, the desk, the readers.

Readers are pickled, for they are plain data that only their own classes know; what is unpickled may name nothing but those
classes and plain containers, so a checkpoint that somebody altered cannot run code.
"""

import io
import pickle
from collections.abc import Iterable
from zoneinfo import ZoneInfo

import msgspec
import polars as pl
import zstandard

from jackstop import detections, triage
from jackstop.formats import Reader
from jackstop.model.results import Finding

LAYOUT = "1"
"""Of checkpoints. Raise it when what the engine remembers changes its shape: `tests/runners/test_rebuild.py` says when."""

_ROOMS = ("jackstop.formats.", "jackstop.model.")
_PLAIN = {*(("collections", n) for n in ("OrderedDict", "Counter", "deque")), ("zoneinfo", "ZoneInfo"), ("re", "_compile")}

_DAMAGE = (
    pickle.UnpicklingError,
    EOFError,
    AttributeError,
    ImportError,
    LookupError,
    TypeError,
    ValueError,
    OverflowError,
    MemoryError,
)
"""What `pickle` raises of bytes that are no pickle."""


class Unknown(ValueError):
    """A checkpoint names what no reader is made of, or cannot be read."""


class _Desk(msgspec.Struct):
    """A desk as plain values; `staged`, `things` and `kinds` as pairs."""

    open: dict[str, triage.Incident]
    closed: list[triage.Incident]
    waiting: dict[str, list[Finding]]
    levels: bytes
    staged: list[tuple[str, list[Finding]]]
    things: list[tuple[tuple[str, str], list[Finding]]]
    kinds: list[tuple[str, list[Finding]]]
    paging: list[Finding]


def pack_desk(desk: triage.Desk) -> bytes:
    """Triage's desk as bytes (MessagePack)."""
    past = desk.past
    return msgspec.msgpack.encode(
        _Desk(
            desk.open,
            desk.closed,
            desk.waiting,
            desk.levels.write_ipc(None).getvalue(),
            [*past.staged.items()],
            [*past.things.items()],
            [*past.kinds.items()],
            past.paging,
        )
    )


def unpack_desk(data: bytes) -> triage.Desk:
    """The desk that `pack_desk` made bytes of.

    Raises:
        msgspec.DecodeError: the bytes are none.
    """
    read = msgspec.msgpack.decode(data, type=_Desk)
    past = detections.Past(detections.stage)
    past.staged.update(read.staged)
    past.things.update(read.things)
    past.kinds.update(read.kinds)
    past.paging = read.paging
    return triage.Desk(read.open, read.closed, read.waiting, pl.read_ipc(read.levels), past)


def pack_reader(reader: Reader) -> bytes:
    """A reader as bytes."""
    return pickle.dumps(reader, protocol=5)


def unpack_reader(data: bytes) -> Reader:
    """The reader that `pack_reader` made bytes of.

    Raises:
        Unknown: the bytes name anything but readers' own classes and plain containers, or are damaged.
    """
    try:
        made: Reader = _Careful(io.BytesIO(data)).load()
    except _DAMAGE as fault:
        raise Unknown(f"a reader in the checkpoint: {fault}, expected what this version wrote") from None
    return made


class _Careful(pickle.Unpickler):
    """Finds classes of our own readers and plain containers, and nothing else."""

    def find_class(self, module: str, name: str) -> object:
        """See `pickle.Unpickler`."""
        if (module, name) == ("builtins", "getattr"):
            return _zone
        if (module, name) in _PLAIN or (module.startswith(_ROOMS) and "." not in name):
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"{module}.{name} is no part of a reader")


def squeeze(parts: Iterable[tuple[str, bytes]]) -> bytes:
    """Named parts as one compressed piece."""
    return zstandard.ZstdCompressor(level=1).compress(msgspec.msgpack.encode(dict(parts)))


def stretch(data: bytes) -> dict[str, bytes]:
    """The parts that `squeeze` put together.

    Raises:
        Unknown: the bytes are damaged.
    """
    try:
        raw = zstandard.ZstdDecompressor().decompress(data)
        return msgspec.msgpack.decode(raw, type=dict[str, bytes])
    except (zstandard.ZstdError, msgspec.DecodeError) as fault:
        raise Unknown(f"checkpoint: {fault}, expected what this version wrote") from None


def _zone(owner: object, name: str) -> object:
    """What pickles of time zones need `getattr` for, and nothing else."""
    if owner is ZoneInfo and name == "_unpickle":
        return ZoneInfo._unpickle  # type: ignore[attr-defined]
    raise pickle.UnpicklingError(f"{name!r} is no part of a reader")
