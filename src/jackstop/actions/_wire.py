"""What `wire` does, its faults as actions tell them."""

import ssl
from pathlib import Path

from jackstop.actions import Unsent
from jackstop.wire import signature, trust


def context(tls: trust.Trust, root: Path) -> ssl.SSLContext:
    """The settings of a client.

    Raises:
        Unsent: a file cannot be read or is no PEM; it may be mended while the service runs.
    """
    try:
        return trust.context(tls, root)
    except ValueError as fault:
        raise Unsent(str(fault)) from None


def signed(secret: str, key: str, seconds: int, body: bytes) -> dict[str, str]:
    """The headers that sign an order. `key`: the order's; `seconds`: Unix time.

    Raises:
        Unsent: the secret is no base64, or shorter than 16 bytes.
    """
    try:
        return signature.headers(signature.key_of(secret), key, seconds, body)
    except ValueError as fault:
        raise Unsent(str(fault), final=True) from None
