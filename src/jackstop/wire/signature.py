"""Signatures of what is sent: HMAC-SHA256 over id, time and body, as Standard Webhooks has it.

The receiver computes the same over the bytes it got, compares in constant time, and refuses a time that is more than some
minutes off: so nobody can make up a message, change one, or send an old one again.

Source: Standard Webhooks specification 1.0: webhook-id, webhook-timestamp, webhook-signature (scheme v1, secrets `whsec_`).
"""

import base64
import binascii
import hashlib
import hmac


def key_of(secret: str) -> bytes:
    """The key a secret stands for: base64 after `whsec_`, else its own bytes.

    Raises:
        ValueError: `whsec_` is not followed by base64, or the key has less than 16 bytes.
    """
    made = secret.encode()
    if secret.startswith("whsec_"):
        try:
            made = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
        except binascii.Error:
            raise ValueError("the signing secret is not base64 after whsec_, expected base64") from None
    if len(made) < 16:
        raise ValueError("the signing secret is too short, expected 16 bytes or more")
    return made


def headers(key: bytes, name: str, seconds: int, body: bytes) -> dict[str, str]:
    """The headers that sign a body. `name`: id of the message; `seconds`: Unix time of sending."""
    content = f"{name}.{seconds}.".encode() + body
    made = base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
    return {"webhook-id": name, "webhook-timestamp": str(seconds), "webhook-signature": f"v1,{made}"}
