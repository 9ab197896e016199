"""Time stamps: asked for, held against the question, and looked at again; anything else is refused in one line."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given, settings
from hypothesis import strategies as st
from rfc3161_client import HashAlgorithm, TimestampRequestBuilder
from some_tsa import NOW, Authority, serving

from jackstop.runners.timestamping import StampError, ask, check, roots

DATA = b"a list of digests\n"


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture
def url(authority: Authority) -> Iterator[str]:
    authority.stand = "answer"
    with serving(authority) as url:
        yield url


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    with httpx.Client() as client:
        yield client


def test_a_stamp_is_good_under_its_root_and_says_when_and_by_whom(authority: Authority, url: str, client: httpx.Client) -> None:
    raw = ask(url, DATA, client)
    stamp = check(raw, DATA, [authority.root])
    assert (stamp.time, stamp.authority, stamp.trusted) == (NOW, "CN=Test TSA", True)
    assert not check(raw, DATA, ()).trusted


def test_openssl_finds_the_same_stamp_good(authority: Authority, url: str, client: httpx.Client, tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(DATA)
    (tmp_path / "tsr").write_bytes(ask(url, DATA, client))
    (tmp_path / "ca").write_bytes(authority.root.public_bytes(Encoding.PEM))
    try:
        done = subprocess.run(
            "openssl ts -verify -data data -in tsr -CAfile ca -attime 1772330400".split(),
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        pytest.skip("openssl is not installed")
    assert "Verification: OK" in done.stdout, done.stderr


def test_a_stamp_about_other_bytes_or_of_another_root_is_refused(authority: Authority, url: str, client: httpx.Client) -> None:
    raw = ask(url, DATA, client)
    with pytest.raises(StampError, match="about other bytes"):
        check(raw, DATA + b"x", [authority.root])
    with pytest.raises(StampError, match="expected a good one"):
        check(raw, DATA, [Authority().root])


def test_a_certificate_not_made_for_time_stamps_is_refused() -> None:
    other = Authority(ExtendedKeyUsageOID.CODE_SIGNING)
    with serving(other) as url, httpx.Client() as client, pytest.raises(StampError, match="expected a good one"):
        ask(url, DATA, client)


@pytest.mark.parametrize(
    ("stand", "told"),
    [("refuse", "refused .no time today."), ("another", "another question"), ("rubbish", "not a time stamp")],
)
def test_a_server_that_does_otherwise_is_told(
    authority: Authority, url: str, client: httpx.Client, stand: str, told: str
) -> None:
    authority.stand = stand
    with pytest.raises(StampError, match=told):
        ask(url, DATA, client)


def test_no_server_and_an_endless_answer_are_told(client: httpx.Client) -> None:
    with pytest.raises(StampError, match="expected a time stamp"):
        ask("http://127.0.0.1:1/", DATA, client)
    endless = httpx.Client(transport=httpx.MockTransport(lambda _: httpx.Response(200, content=bytes(2 << 20))))
    with endless, pytest.raises(StampError, match="more than"):
        ask("http://tsa.test/", DATA, endless)


def test_a_file_without_certificates_is_told(tmp_path: Path) -> None:
    with pytest.raises(StampError, match="expected a PEM file"):
        roots(tmp_path / "none.pem")


@pytest.fixture(scope="module")
def stamped(authority: Authority) -> bytes:
    authority.stand = "answer"
    request = TimestampRequestBuilder().data(DATA).hash_algorithm(HashAlgorithm.SHA512).build()
    return authority.answer(request.as_bytes())


@pytest.mark.filterwarnings("ignore:Parsed a serial number")
@given(st.integers(0, 1200), st.integers(0, 7))
@settings(max_examples=300, deadline=None)
def test_no_bit_of_a_signed_stamp_can_be_altered_to_say_something_else(
    authority: Authority, stamped: bytes, at: int, bit: int
) -> None:
    raw = bytearray(stamped)
    raw[at] ^= 1 << bit
    try:
        stamp = check(bytes(raw), DATA, [authority.root])
    except StampError:
        return
    assert (stamp.time, stamp.authority) == (NOW, "CN=Test TSA")


@given(st.binary(max_size=300))
@settings(max_examples=200, deadline=None)
def test_any_bytes_are_refused_in_one_line(raw: bytes) -> None:
    with pytest.raises(StampError, match=r"^time stamp: [^\n]*$"):
        check(raw, DATA, ())
