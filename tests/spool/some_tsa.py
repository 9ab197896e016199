"""A time stamp authority of the tests' own (RFC 3161, RFC 5652), with its certificates; it answers over HTTP."""

import datetime
import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

NOW = datetime.datetime(2026, 3, 1, 2, 0, tzinfo=datetime.UTC)
SHA512 = "2.16.840.1.101.3.4.2.3"
SHA256 = "2.16.840.1.101.3.4.2.1"


def tlv(tag: int, *parts: bytes) -> bytes:
    body = b"".join(parts)
    size = len(body)
    if size < 128:
        return bytes([tag, size]) + body
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + body


def oid(text: str) -> bytes:
    first, second, *rest = map(int, text.split("."))
    out = bytearray([first * 40 + second])
    for n in rest:
        groups = [n & 127]
        while n := n >> 7:
            groups.append(n & 127 | 128)
        out += bytes(reversed(groups))
    return tlv(6, bytes(out))


def integer(n: int) -> bytes:
    return tlv(2, n.to_bytes(n.bit_length() // 8 + 1, "big"))


def algorithm(name: str) -> bytes:
    return tlv(0x30, oid(name), tlv(5))


def seq(raw: bytes) -> list[bytes]:
    """The elements inside a constructed one, whole."""
    found, at = [], _header(raw, 0)[0]
    while at < len(raw):
        begin, size = _header(raw, at)
        found.append(raw[at : begin + size])
        at = begin + size
    return found


def _header(raw: bytes, at: int) -> tuple[int, int]:
    size = raw[at + 1]
    if size < 128:
        return at + 2, size
    n = size & 127
    return at + 2 + n, int.from_bytes(raw[at + 2 : at + 2 + n], "big")


class Authority:
    """A root and a signing certificate. `stand` what it does: answer, refuse, answer another question, or answer rubbish."""

    def __init__(self, purpose: x509.ObjectIdentifier = ExtendedKeyUsageOID.TIME_STAMPING) -> None:
        self.stand = "answer"
        root_key, self._key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
        self.root = _certificate("Test Root", "Test Root", root_key.public_key(), root_key, None)
        self.own = _certificate("Test TSA", "Test Root", self._key.public_key(), root_key, purpose)

    def answer(self, query: bytes) -> bytes:
        if self.stand == "rubbish":
            return b"rubbish"
        if self.stand == "refuse":
            return tlv(0x30, tlv(0x30, integer(2), tlv(0x30, tlv(0x0C, b"no time today"))))
        parts = seq(query)
        imprint = parts[1]
        nonce = next((p for p in parts[2:] if p[0] == 2), b"")
        if self.stand == "another":
            nonce = integer(1)
        return tlv(0x30, tlv(0x30, integer(0)), self._token(imprint, nonce))

    def _token(self, imprint: bytes, nonce: bytes) -> bytes:
        time = tlv(0x18, NOW.strftime("%Y%m%d%H%M%SZ").encode())
        info = tlv(0x30, integer(1), oid("1.2.3.4.1"), imprint, integer(42), time, nonce)
        der = self.own.public_bytes(Encoding.DER)
        cert_id = tlv(0x30, tlv(0x30, tlv(0x30, tlv(4, hashlib.sha256(der).digest()))))
        attributes = [
            tlv(0x30, oid("1.2.840.113549.1.9.3"), tlv(0x31, oid("1.2.840.113549.1.9.16.1.4"))),
            tlv(0x30, oid("1.2.840.113549.1.9.4"), tlv(0x31, tlv(4, hashlib.sha256(info).digest()))),
            tlv(0x30, oid("1.2.840.113549.1.9.16.2.47"), tlv(0x31, cert_id)),
        ]
        attributes.sort()
        signature = self._key.sign(tlv(0x31, *attributes), ec.ECDSA(hashes.SHA256()))
        issuer = self.own.issuer.public_bytes()
        signer = tlv(
            0x30,
            integer(1),
            tlv(0x30, issuer, integer(self.own.serial_number)),
            algorithm(SHA256),
            tlv(0xA0, *attributes),
            tlv(0x30, oid("1.2.840.10045.4.3.2")),
            tlv(4, signature),
        )
        content = tlv(0x30, oid("1.2.840.113549.1.9.16.1.4"), tlv(0xA0, tlv(4, info)))
        held = tlv(0xA0, *sorted([der, self.root.public_bytes(Encoding.DER)]))
        signed = tlv(0x30, integer(3), tlv(0x31, algorithm(SHA256)), content, held, tlv(0x31, signer))
        return tlv(0x30, oid("1.2.840.113549.1.7.2"), tlv(0xA0, signed))


def _certificate(subject, issuer, key, signer, purpose) -> x509.Certificate:
    def name(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    builder = (
        x509.CertificateBuilder()
        .subject_name(name(subject))
        .issuer_name(name(issuer))
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - datetime.timedelta(days=30))
        .not_valid_after(NOW + datetime.timedelta(days=300))
        .add_extension(x509.BasicConstraints(ca=purpose is None, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
    )
    if purpose is not None:
        builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=True)
    return builder.sign(signer, hashes.SHA256())


@contextmanager
def serving(authority: Authority) -> Iterator[str]:
    """The authority over HTTP; gives its URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            query = self.rfile.read(int(self.headers["Content-Length"]))
            good = self.headers["Content-Type"] == "application/timestamp-query"
            body = authority.answer(query) if good else b""
            self.send_response(200 if good else 415)
            self.send_header("Content-Type", "application/timestamp-reply")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
