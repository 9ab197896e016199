"""What routes and pages share in reading a call: the context, the language, pages of the store's lists."""

from collections.abc import Callable
from typing import Annotated, TypeVar

from fastapi import Depends, Query, Request

from jackstop.store.shown import Page, PlaceError
from jackstop.web import context as contexts
from jackstop.web.context import Context
from jackstop.web.errors import Refused

T = TypeVar("T")

Ctx = Annotated[Context, Depends(contexts.of)]


def language(request: Request, lang: Annotated[str | None, Query(max_length=10, description="en or ja.")] = None) -> str:
    """The language to answer in: `?lang=`, else the first of `Accept-Language` that is ours, else English."""
    return spoken(lang, request.cookies.get("lang"), request.headers.get("accept-language", ""))


def spoken(asked: str | None, kept: str | None, accepted: str) -> str:
    """A language of ours out of what was asked, what the browser keeps, and what it accepts (RFC 9110, 12.5.4)."""
    for word in (asked, kept):
        if word in {"en", "ja"}:
            return str(word)
    ranked: list[tuple[float, int, str]] = []
    for i, part in enumerate(accepted.split(",")[:20]):
        name, _, rest = part.strip().partition(";")
        weight = rest.strip().removeprefix("q=").strip()
        try:
            ranked.append((-float(weight) if weight else -1.0, i, name.strip().lower()[:2]))
        except ValueError:
            continue
    return next((name for weight, _, name in sorted(ranked) if weight < 0 and name in {"en", "ja"}), "en")


Lang = Annotated[str, Depends(language)]


def paged(ask: Callable[[], Page[T]]) -> Page[T]:
    """A page of a list of the store.

    Raises:
        Refused: 400, `after` is not a place in it.
    """
    try:
        return ask()
    except PlaceError as fault:
        raise Refused(400, str(fault)) from None


def there(found: T | None, what: str, name: str) -> T:
    """What was found.

    Raises:
        Refused: 404, nothing was.
    """
    if found is None:
        raise Refused(404, f"no {what} {name[:100]!r}")
    return found
