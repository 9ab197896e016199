"""One-time codes by the clock (TOTP, RFC 6238): SHA-1, six digits, thirty seconds, one step to either side."""

import hmac

import pyotp
import segno

ISSUER = "jackstop"
_STEP = 30
_WINDOW = 1


def new_secret() -> str:
    """A secret of 160 bits (RFC 4226, section 4) in base 32."""
    return pyotp.random_base32(32)


def step_of(secret: str, code: str, now: int) -> int | None:
    """The step of time a code is of, within one step of `now` (µs UTC); None for a wrong code. In constant time."""
    digits = "".join(code.split())
    if len(digits) != 6 or not (digits.isascii() and digits.isdigit()):
        return None
    totp, here, found = pyotp.TOTP(secret), now // (_STEP * 1_000_000), None
    for step in range(here - _WINDOW, here + _WINDOW + 1):
        if hmac.compare_digest(totp.generate_otp(step), digits):
            found = step
    return found


def picture(secret: str, name: str) -> str:
    """The enrolment as a QR code: SVG to be set into a page, without styles of its own."""
    uri = pyotp.TOTP(secret).provisioning_uri(name=name, issuer_name=ISSUER)
    return str(segno.make(uri, error="m").svg_inline(scale=4, border=2, svgclass="qr", lineclass="qr-line", omitsize=True))
