"""Log text made plain: characters that steer a terminal, hide or turn text around are shown instead of obeyed."""

import re

_STEERING = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)
"""Control and format characters of Unicode and halves of surrogate pairs; tab and line feed stay."""


def plain(text: str) -> str:
    """Text in which such characters are written as escapes: `\\x1b`, `\\u202e`."""
    return _STEERING.sub(_escape, text)


def line(text: str, most: int = 160) -> str:
    """The same in one line of at most so many characters, cut with an ellipsis."""
    flat = plain(" ".join(text.split()) if "\n" in text or "\t" in text else text)
    return flat if len(flat) <= most else flat[: most - 1] + "…"


def _escape(found: re.Match[str]) -> str:
    code = ord(found.group())
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"
