"""AES of SIA DC-09: what stands behind the bracket is encrypted in CBC mode from a zero vector, with padding before a bar.

Source: ANSI/SIA DC-09-2013 §5.4 (encryption), as public implementations show it.
"""

import re
import secrets
import string

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

_BLOCK = 16
_ZERO = bytes(_BLOCK)
_PADDING = string.ascii_letters + string.digits
_SIZES = {32, 48, 64}
_ACCOUNT = re.compile(rb"#[0-9A-Za-z]{1,16}")


class Unsealed(ValueError):
    """This cannot be decrypted; the message says why."""


def key(text: str) -> bytes:
    """A key of 128, 192 or 256 bits: 32, 48 or 64 hexadecimal digits, or 16, 24 or 32 characters (`text:` before them says so).

    Raises:
        ValueError: it is neither; what it holds is never told.
    """
    plain = text.removeprefix("text:")
    if plain == text and len(text) in _SIZES:
        try:
            return bytes.fromhex(text)
        except ValueError:
            pass
    if len(made := plain.encode()) in {16, 24, 32}:
        return made
    raise ValueError("a key is neither 32, 48 or 64 hexadecimal digits nor 16, 24 or 32 characters, expected one of these")


def open_(sealed: bytes, secret: bytes) -> bytes:
    """What was encrypted, from the account on, without its padding.

    Raises:
        Unsealed: it is not whole blocks in hexadecimal, or another key was used.
    """
    try:
        blocks = bytes.fromhex(sealed.decode("ascii"))
    except ValueError:
        raise Unsealed("not hexadecimal, expected encrypted data") from None
    if not blocks or len(blocks) % _BLOCK:
        raise Unsealed(f"{len(blocks)} bytes encrypted, expected whole blocks of {_BLOCK}")
    decryptor = Cipher(algorithms.AES(secret), modes.CBC(_ZERO)).decryptor()
    plain = decryptor.update(blocks) + decryptor.finalize()
    end = plain.find(b"]")
    if end < 0 or not all(b >= 32 and b != 127 for b in plain[end:]):
        raise Unsealed("not decrypted: another key, or damage")
    return _unpadded(plain[:end]) + plain[end:]


def _unpadded(content: bytes) -> bytes:
    """Content without the padding before its first bar; some senders fill with zeros and leave the bar out."""
    first, bar, rest = content.partition(b"|")
    if not bar:
        return content.lstrip(b"0")
    return content if _ACCOUNT.fullmatch(first) else rest


def seal(content: bytes, secret: bytes) -> bytes:
    """Content behind padding, encrypted, in hexadecimal."""
    size = _BLOCK - (len(content) + 1) % _BLOCK
    padding = "".join(secrets.choice(_PADDING) for _ in range(size)).encode()
    encryptor = Cipher(algorithms.AES(secret), modes.CBC(_ZERO)).encryptor()
    return (encryptor.update(padding + b"|" + content) + encryptor.finalize()).hex().upper().encode()
