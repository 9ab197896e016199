"""What the service says of itself: JSON lines on stderr, secrets left out."""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

_SECRET = re.compile(r"(?i)(pass(word|wd)?|secret|token|api[_-]?key|authorization|cookie|csrf|totp|credential)")
_BEARER = re.compile(r"(?i)\b(bearer|splunk|apikey|basic)\s+[A-Za-z0-9._~+/=-]{8,}|jst_[A-Za-z0-9_-]{8,}")
_URL = re.compile(r"([a-z][a-z0-9+.-]{1,20}://[^\s/:@]{1,200}):[^\s@/]{1,200}@")


def begin(part: str) -> None:
    """Set logging up for a process of the service; `part` is named in each line."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            clean,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(part=part)
    logging.basicConfig(level=logging.WARNING, format="%(message)s", handlers=[_Handler()], force=True)


def clean(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A line without secrets: values under telling names, tokens and passwords in texts."""
    for key, value in event.items():
        if _SECRET.search(key):
            event[key] = "…"
        elif isinstance(value, str):
            event[key] = scrubbed(value)
    return event


def scrubbed(text: str) -> str:
    """A text without what looks like a token or a password in a URL."""
    return _URL.sub(r"\1:…@", _BEARER.sub("…", text))


class _Handler(logging.Handler):
    """Libraries' own log lines, in our shape."""

    def emit(self, record: logging.LogRecord) -> None:
        """See `logging.Handler`."""
        structlog.get_logger(record.name).log(record.levelno, record.getMessage())
