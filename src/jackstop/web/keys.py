"""The keyring of the web part: one key on disk, and what is sealed and signed with it.

Sealing is AES-256-GCM, signing HMAC-SHA-256, each with its own key derived by HKDF (RFC 5869).
"""

import hmac
import os
import secrets
from hashlib import sha256
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

NAME = "web.key"
_BYTES = 32
_NONCE = 12


class KeyFault(Exception):
    """The key cannot be used; the message says where and why."""


class Keyring:
    """Keys derived from one secret of 32 bytes; nothing of it shows in its repr.

    Raises:
        KeyFault: the secret is not 32 bytes.
    """

    __slots__ = ("_sealing", "_signing")

    def __init__(self, secret: bytes) -> None:
        if len(secret) != _BYTES:
            raise KeyFault(f"key of {len(secret)} bytes, expected {_BYTES}")
        self._sealing = AESGCM(_derive(secret, b"jackstop seal"))
        self._signing = _derive(secret, b"jackstop sign")

    @classmethod
    def open(cls, folder: Path) -> "Keyring":
        """The keyring of a folder, made on first use (folder 0700, file 0600).

        Raises:
            KeyFault: the key cannot be read or made, or others may read it.
        """
        path = folder / NAME
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not path.exists():
                _make(path)
            if path.stat().st_mode & 0o077:
                raise KeyFault(f"{path}: others may read it, expected mode 0600")
            return cls(path.read_bytes())
        except OSError as fault:
            raise KeyFault(f"{path}: {fault.strerror}, expected a place for a key") from None
        except KeyFault as fault:
            raise KeyFault(f"{path}: {fault}".replace(f"{path}: {path}", str(path))) from None

    def seal(self, plain: bytes, about: str) -> bytes:
        """Bytes sealed so that they open only for the same `about`."""
        nonce = secrets.token_bytes(_NONCE)
        return nonce + self._sealing.encrypt(nonce, plain, about.encode())

    def unseal(self, sealed: bytes, about: str) -> bytes | None:
        """What was sealed for `about`; None where it was not, or was changed."""
        try:
            return self._sealing.decrypt(sealed[:_NONCE], sealed[_NONCE:], about.encode())
        except (InvalidTag, ValueError):
            return None

    def sign(self, text: str, about: str) -> str:
        """A signature (hex) of a text for one purpose."""
        return hmac.new(self._signing, f"{about}\0{text}".encode("utf-8", "replace"), sha256).hexdigest()

    def signed(self, text: str, about: str, signature: str) -> bool:
        """Whether a signature is ours; in constant time."""
        return hmac.compare_digest(self.sign(text, about).encode(), signature.encode("utf-8", "replace"))


def _derive(secret: bytes, purpose: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=_BYTES, salt=None, info=purpose).derive(secret)


def _make(path: Path) -> None:
    """Write a new key beside its place and link it there: of two that start at once, one wins and both use it."""
    part = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    made = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(made, secrets.token_bytes(_BYTES))
        os.fsync(made)
    finally:
        os.close(made)
    try:
        os.link(part, path)
    except FileExistsError:
        pass
    finally:
        part.unlink()
