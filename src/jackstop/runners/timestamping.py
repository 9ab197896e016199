"""Time stamps by a third party (RFC 3161): when something was there, told by somebody who has nothing to gain from it."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import httpx
from cryptography import x509
from rfc3161_client import (
    HashAlgorithm,
    TimestampRequestBuilder,
    TimeStampResponse,
    VerificationError,
    VerifierBuilder,
    decode_timestamp_response,
)

LARGEST = 1 << 20
"""Bytes of an answer at most."""
WAIT = 20.0
"""Seconds a server has for its answer."""


class StampError(Exception):
    """There is no time stamp, or it is not good: what is wrong, and what was expected, in one line."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """A good time stamp: when, by whom (its certificate's subject), and whether that was traced to a root that is trusted; if
    not, only that the certificates in it fit together."""

    time: datetime
    authority: str
    trusted: bool


def ask(url: str, data: bytes, client: httpx.Client) -> bytes:
    """The answer of a time stamp server about some bytes (their SHA-512 is sent, not they), held against the question.

    Raises:
        StampError: the server does not answer, refuses, or answers something else.
    """
    request = TimestampRequestBuilder().data(data).hash_algorithm(HashAlgorithm.SHA512).cert_request(cert_request=True).build()
    headers = {"Content-Type": "application/timestamp-query", "Accept": "application/timestamp-reply"}
    try:
        with client.stream("POST", url, content=request.as_bytes(), headers=headers, timeout=WAIT) as answer:
            answer.raise_for_status()
            raw = b""
            for piece in answer.iter_bytes():
                raw += piece
                if len(raw) > LARGEST:
                    raise StampError(f"{url}: more than {LARGEST} bytes, expected a time stamp")
    except httpx.HTTPError as fault:
        raise StampError(f"{url}: {str(fault) or type(fault).__name__}, expected a time stamp (RFC 3161)") from None
    found = _decoded(raw, url)
    if found.tst_info.nonce != request.nonce:
        raise StampError(f"{url}: the answer to another question, expected its nonce")
    check(raw, data, ())
    return raw


def asker(url: str, roots: Sequence[x509.Certificate]) -> Callable[[bytes], bytes]:
    """What has bytes time-stamped by a server, and takes no stamp that does not hold.

    Args:
        url: of the server. roots: that its certificate must lead to; none: any.
    """

    def stamped(data: bytes) -> bytes:
        with httpx.Client() as client:
            answer = ask(url, data, client)
        check(answer, data, roots)
        return answer

    return stamped


def check(raw: bytes, data: bytes, roots: Sequence[x509.Certificate]) -> Stamp:
    """Look at a time stamp over some bytes.

    Args:
        raw: the server's answer. data: what it must be about. roots: certificates that are trusted; without any, the
            certificates it brings along must fit together, which shows no more than that.

    Raises:
        StampError: it is not good, or about other bytes.
    """
    found = _decoded(raw, "time stamp")
    try:
        held = sorted((x509.load_der_x509_certificate(c) for c in found.signed_data.certificates), key=lambda c: c.serial_number)
        imprint = found.tst_info.message_imprint
        if imprint.message != hashlib.sha512(data).digest():
            raise StampError("time stamp: about other bytes, expected those that were stamped")
        builder = VerifierBuilder()
        for root in roots or _tops(held):
            builder = builder.add_root_certificate(root)
        builder.build().verify_message(found, data)
        return Stamp(found.tst_info.gen_time, _authority(found, held), bool(roots))
    except (VerificationError, ValueError, x509.InvalidVersion) as fault:
        raise StampError(f"time stamp: {str(fault).splitlines()[0]}, expected a good one (RFC 3161)") from None


def roots(path: Path) -> tuple[x509.Certificate, ...]:
    """The certificates in a PEM file.

    Raises:
        StampError: there are none in it.
    """
    try:
        return tuple(x509.load_pem_x509_certificates(path.read_bytes()))
    except (OSError, ValueError):
        raise StampError(f"{path}: no certificates, expected a PEM file with those that are trusted") from None


def _decoded(raw: bytes, where: str) -> TimeStampResponse:
    try:
        found = decode_timestamp_response(raw)
        status = found.status
        _ = found.tst_info if status == 0 else None
    except ValueError:
        raise StampError(f"{where}: not a time stamp, expected an answer by RFC 3161") from None
    if status != 0:
        said = ", ".join(found.status_string) or f"status {status}"
        raise StampError(f"{where}: refused ({said[:200]}), expected a granted time stamp")
    return found


def _tops(held: Sequence[x509.Certificate]) -> list[x509.Certificate]:
    """The certificates nobody among them has issued but themselves."""
    names = {c.subject for c in held}
    return [c for c in held if c.issuer == c.subject or c.issuer not in names]


def _authority(found: TimeStampResponse, held: Sequence[x509.Certificate]) -> str:
    for signer in found.signed_data.signer_infos:
        for certificate in held:
            if (certificate.issuer, certificate.serial_number) == (signer.issuer, signer.serial_number):
                return certificate.subject.rfc4514_string()
    return "unknown"
