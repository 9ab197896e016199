"""The keyring: made once, readable by nobody else, and opening only what it sealed for the same purpose."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jackstop.web.keys import KeyFault, Keyring

RING = Keyring(b"k" * 32)


def test_the_key_is_made_once_and_for_its_owner_alone(tmp_path):
    folder = tmp_path / "data" / "keys"
    sealed = Keyring.open(folder).seal(b"secret", "a")
    assert Keyring.open(folder).unseal(sealed, "a") == b"secret"
    assert (folder / "web.key").stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700
    assert [p.name for p in folder.iterdir()] == ["web.key"]


def test_a_key_that_others_may_read_or_that_is_none_is_refused(tmp_path):
    Keyring.open(tmp_path)
    (tmp_path / "web.key").chmod(0o640)
    with pytest.raises(KeyFault, match=r"web\.key: others may read it, expected mode 0600"):
        Keyring.open(tmp_path)
    (tmp_path / "web.key").chmod(0o600)
    (tmp_path / "web.key").write_bytes(b"short")
    with pytest.raises(KeyFault, match="key of 5 bytes"):
        Keyring.open(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(KeyFault, match="expected a place for a key"):
        Keyring.open(tmp_path / "file")


@given(st.binary(max_size=100), st.text(max_size=20), st.data())
def test_what_was_changed_or_sealed_for_something_else_does_not_open(plain, about, data):
    sealed = RING.seal(plain, about)
    assert RING.unseal(sealed, about) == plain
    assert RING.unseal(sealed, about + "x") is None
    place = data.draw(st.integers(0, len(sealed) - 1))
    changed = sealed[:place] + bytes([sealed[place] ^ 1]) + sealed[place + 1 :]
    assert RING.unseal(changed, about) is None
    assert Keyring(b"j" * 32).unseal(sealed, about) is None


@given(st.binary(max_size=100))
def test_any_bytes_are_opened_or_not_and_never_a_crash(noise):
    assert RING.unseal(noise, "a") is None


@given(st.text(max_size=50), st.text(max_size=50))
def test_a_signature_holds_for_its_text_and_purpose_alone(text, other):
    signature = RING.sign(text, "form")
    assert RING.signed(text, "form", signature)
    assert not RING.signed(text, "other", signature)
    assert RING.signed(other, "form", signature) == (text.encode("utf-8", "replace") == other.encode("utf-8", "replace"))
    assert not RING.signed(text, "form", other)
