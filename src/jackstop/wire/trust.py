"""TLS towards other systems: version 1.2 or later, and the other side is verified."""

import ssl
from pathlib import Path

from jackstop.model.service import Strict


class Trust(Strict):
    """How the other side is believed and how we show who we are. Files are PEM, relative to `jackstop.toml`.

    Attributes:
        ca: authorities that are believed in place of the system's. cert, key: our own certificate, for mutual TLS.
    """

    ca: str | None = None
    cert: str | None = None
    key: str | None = None


def context(trust: Trust, root: Path) -> ssl.SSLContext:
    """The settings of a client.

    Raises:
        ValueError: a file cannot be read or is no PEM; it may be mended while the service runs.
    """
    try:
        made = ssl.create_default_context(cafile=str(root / trust.ca) if trust.ca else None)
        made.minimum_version = ssl.TLSVersion.TLSv1_2
        if trust.cert:
            made.load_cert_chain(root / trust.cert, root / trust.key if trust.key else None)
    except (OSError, ssl.SSLError) as fault:
        names = ", ".join(n for n in (trust.ca, trust.cert, trust.key) if n)
        raise ValueError(f"tls: {names}: {fault.strerror or 'not PEM'}, expected readable PEM files") from None
    return made


def words(fault: BaseException) -> str:
    """A fault of a connection in a few words, without addresses of memory or values that were sent."""
    match fault:
        case ssl.SSLCertVerificationError():
            return f"certificate not believed: {fault.verify_message}"
        case ssl.SSLError():
            return f"TLS failed: {fault.reason or type(fault).__name__}"
        case TimeoutError():
            return "no answer in time"
        case ConnectionError():
            return fault.strerror or "the other side ended the connection"
        case OSError():
            return fault.strerror or type(fault).__name__
        case _:
            return type(fault).__name__
