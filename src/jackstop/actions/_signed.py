"""Signatures of what is sent: HMAC-SHA256 over id, time and body.

Source: Standard Webhooks specification 1.0: webhook-id, webhook-timestamp, webhook-signature (scheme v1, secrets `whsec_`); the
same as the sink `webhook` has.
"""

import base64
import binascii
import hashlib
import hmac

from jackstop.actions import Unsent


def headers(secret: str, key: str, seconds: int, body: bytes) -> dict[str, str]:
    """The headers that sign a body.

    Args:
        secret: base64 after `whsec_`, else its own bytes. key: the order's. seconds: Unix time.

    Raises:
        Unsent: the secret is no base64, or shorter than 16 bytes.
    """
    made = secret.encode()
    if secret.startswith("whsec_"):
        try:
            made = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
        except binascii.Error:
            raise Unsent("the signing secret is not base64 after whsec_, expected base64", final=True) from None
    if len(made) < 16:
        raise Unsent("the signing secret is too short, expected 16 bytes or more", final=True)
    content = f"{key}.{seconds}.".encode() + body
    signed = base64.b64encode(hmac.new(made, content, hashlib.sha256).digest()).decode()
    return {"webhook-id": key, "webhook-timestamp": str(seconds), "webhook-signature": f"v1,{signed}"}
