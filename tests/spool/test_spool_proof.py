"""Proofs: a frame is shown to have stood in a signed segment, and no other bytes are."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from some_spool import fill, in_memory, opened

from jackstop.spool import Kind
from jackstop.spool.faults import SpoolError
from jackstop.spool.proof import Proof, prove
from jackstop.spool.segments import PLAIN, numbers, place
from jackstop.spool.signer import Signer


@pytest.fixture(scope="module")
def made() -> Iterator[Path]:
    with in_memory() as folder:
        writer = opened(folder)
        for n in range(8):
            fill(writer, 100, begin=n * 100)
        writer.close()
        yield folder


def test_every_frame_of_every_segment_is_proved_under_its_signed_head(made: Path) -> None:
    keys, seen = Signer(made / "keys").public(), 0
    for number in numbers(made / "spool"):
        proved = prove(made / "spool", number, range(1, 801))
        assert proved.signed is not None
        assert proved.signed.genuine(keys)
        assert proved.raw.keys() == proved.proofs.keys()
        seen += len(proved.raw)
        for seq, proof in proved.proofs.items():
            assert proof.holds(proved.signed)
            assert proof.of(proved.raw[seq])
            assert len(proof.path) <= 10
    assert seen == 800


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_a_proof_with_anything_altered_does_not_hold(made: Path, data) -> None:
    proved = prove(made / "spool", 1, [7, 8, 300])
    assert proved.signed is not None
    proof = data.draw(st.sampled_from(sorted(proved.proofs.values(), key=lambda p: p.seq)))
    field = data.draw(st.sampled_from(["seq", "segment", "index", "count", "leaf", "path"]))
    was = getattr(proof, field)
    match was:
        case int():
            now = data.draw(st.integers(-3, 1000).filter(lambda n: n != was))
        case str():
            now = data.draw(st.text("0123456789abcdef", min_size=64, max_size=64).filter(lambda n: n != was))
        case _:
            cut, at = data.draw(st.booleans()), data.draw(st.integers(0, len(was) - 1))
            now = was[:at] + was[at + 1 :] if cut else (*was[:at], was[at][::-1], *was[at + 1 :])
    altered: Proof = msgspec.structs.replace(proof, **{field: now})
    assert altered == proof or not altered.holds(proved.signed)


def test_a_frame_newer_than_the_last_signature_is_given_without_a_proof(tmp_path: Path) -> None:
    writer = opened(tmp_path)
    fill(writer, 5)
    proved = prove(tmp_path / "spool", 1, [2])
    assert proved.signed is not None
    assert (proved.proofs, list(proved.raw)) == ({}, [2])
    writer.close()
    assert list(prove(tmp_path / "spool", 1, [2]).proofs) == [2]


def test_a_segment_that_is_not_what_was_signed_proves_nothing(tmp_path: Path) -> None:
    writer = opened(tmp_path)
    fill(writer, 5)
    writer.append(Kind.DATA, "feed-0", b"AAAA")
    writer.commit()
    writer.close()
    path = place(tmp_path / "spool", 1, PLAIN)
    other = tmp_path / "other"
    again = opened(other)
    fill(again, 5)
    again.append(Kind.DATA, "feed-0", b"BBBB")
    again.commit()
    again.close()
    path.write_bytes(place(other / "spool", 1, PLAIN).read_bytes())
    with pytest.raises(SpoolError, match="not those of its signed head"):
        prove(tmp_path / "spool", 1, [2])
