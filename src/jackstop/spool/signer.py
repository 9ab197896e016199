"""The service's own key, Ed25519 (RFC 8032): it signs the heads of segments and the packages of evidence.

The private key lies in `keys/evidence.key` (mode 0600) and is made on first start. Public keys lie beside it as `<id>.pub`,
those of earlier keys too; a new key is endorsed by the one before.
"""

import hashlib
import os
import re
from collections.abc import Mapping
from pathlib import Path

import msgspec
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from jackstop.spool.faults import SpoolError

Keys = Mapping[str, Ed25519PublicKey]
"""Public keys by their id."""

_PRIVATE = "evidence.key"
_HEX = re.compile("[0-9a-f]{128}")


class Endorsement(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A new key, named by the key before it: `signature` (hex) over `jackstop key ` and the new id."""

    key: str
    by: str
    signature: str


class Signer:
    """The private key of a folder; made there if there is none.

    Args:
        folder: `keys` of the service's data; made with mode 0700.

    Raises:
        SpoolError: the folder cannot be used, or what lies there is no Ed25519 key.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        path = folder / _PRIVATE
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            if not path.exists():
                _make(folder, Ed25519PrivateKey.generate())
            found = serialization.load_pem_private_key(path.read_bytes(), None)
        except OSError as fault:
            raise SpoolError(path, fault.strerror or str(fault), "a place for the service's key") from None
        except (ValueError, TypeError, UnsupportedAlgorithm):
            raise SpoolError(path, "not a private key", "an Ed25519 key in PEM, without a password") from None
        if not isinstance(found, Ed25519PrivateKey):
            raise SpoolError(path, "a key of another kind", "an Ed25519 key")
        self._key = found
        self.id = key_id(found.public_key())
        _publish(folder, found.public_key())

    def __repr__(self) -> str:
        return f"Signer({self.id})"

    def sign(self, data: bytes) -> str:
        """The signature of some bytes: 64 bytes as hex."""
        return self._key.sign(data).hex()

    def public(self) -> Keys:
        """All public keys of this folder, earlier ones too."""
        return public_keys(self._folder)

    def files(self) -> list[Path]:
        """The files with public keys and endorsements, by name."""
        return sorted([*self._folder.glob("*.pub"), *self._folder.glob("*.endorsed")])

    def rotate(self) -> str:
        """Make a new key, endorsed by this one, and use it from now on; gives its id. The old private key is gone then."""
        new = Ed25519PrivateKey.generate()
        name = key_id(new.public_key())
        said = Endorsement(name, self.id, self.sign(b"jackstop key " + name.encode()))
        _put(self._folder / f"{name}.endorsed", msgspec.json.encode(said), 0o644)
        _publish(self._folder, new.public_key())
        _make(self._folder, new)
        self._key, self.id = new, name
        return name


def key_id(key: Ed25519PublicKey) -> str:
    """A key's id: the first 16 hex digits of the SHA-256 of its 32 bytes."""
    return hashlib.sha256(key.public_bytes_raw()).hexdigest()[:16]


def public_keys(folder: Path) -> Keys:
    """The public keys in a folder (`*.pub`, PEM).

    Raises:
        SpoolError: one is no Ed25519 key, or bears the id of another.
    """
    found: dict[str, Ed25519PublicKey] = {}
    for path in sorted(folder.glob("*.pub")):
        try:
            key = serialization.load_pem_public_key(path.read_bytes())
        except (OSError, ValueError, UnsupportedAlgorithm):
            raise SpoolError(path, "not a public key", "an Ed25519 key in PEM") from None
        if not isinstance(key, Ed25519PublicKey) or key_id(key) != path.stem:
            raise SpoolError(path, "not the key its name says", "the Ed25519 key with this id")
        found[path.stem] = key
    return found


def genuine(keys: Keys, key: str, signature: str, data: bytes) -> bool:
    """Whether a signature (hex, small letters) is that of a known key over some bytes."""
    if key not in keys or not _HEX.fullmatch(signature):
        return False
    try:
        keys[key].verify(bytes.fromhex(signature), data)
    except InvalidSignature:
        return False
    return True


def _make(folder: Path, key: Ed25519PrivateKey) -> None:
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    _put(folder / _PRIVATE, pem, 0o600)


def _publish(folder: Path, key: Ed25519PublicKey) -> None:
    path = folder / f"{key_id(key)}.pub"
    if not path.exists():
        pem = key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        _put(path, pem, 0o644)


def _put(path: Path, content: bytes, mode: int) -> None:
    """Write a file whole or not at all, with its mode from the first byte."""
    part = path.with_name(path.name + ".part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
