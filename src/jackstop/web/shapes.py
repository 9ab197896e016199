"""What every answer of the API is made of: moments, pages, money, and how times are asked for."""

from datetime import UTC, datetime
from typing import Annotated, Generic, TypeVar

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, PlainValidator, WithJsonSchema

from jackstop.model.written import EARLIEST, LATEST, stamp

T = TypeVar("T")


def micros(value: object) -> int:
    """A moment as it comes in: ISO 8601 with an offset, to µs UTC; integers are µs already.

    Raises:
        ValueError: it is neither, or outside the years 1 to 9999.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return min(max(value, EARLIEST), LATEST)
    try:
        moment = datetime.fromisoformat(str(value).replace(" ", "+"))
    except ValueError:
        raise ValueError("expected ISO 8601 with an offset, such as 2026-03-01T02:11:07Z") from None
    if moment.tzinfo is None:
        raise ValueError("expected an offset, such as 2026-03-01T02:11:07Z or …+09:00")
    try:
        span = moment - datetime(1970, 1, 1, tzinfo=UTC)
    except OverflowError:
        raise ValueError("expected a time of the years 1 to 9999") from None
    return min(max(span.days * 86_400_000_000 + span.seconds * 1_000_000 + span.microseconds, EARLIEST), LATEST)


Moment = Annotated[
    int,
    PlainValidator(micros),
    PlainSerializer(stamp, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2026-03-01T02:11:07Z"]}),
]
"""µs UTC inside, ISO 8601 outside."""

Minor = Annotated[int, Field(description="Minor units of the currency.", examples=[80000])]
Words = Annotated[str, Field(min_length=1, max_length=4000)]
Ident = Annotated[str, Field(min_length=1, max_length=100)]
Limit = Annotated[int, Query(ge=1, le=500, description="How many at most.")]
After = Annotated[str | None, Query(max_length=300, description="`next` of the page before.")]
Since = Annotated[Moment | None, Query(description="From this moment on.")]
Until = Annotated[Moment | None, Query(description="Before this moment.")]


class Shape(BaseModel):
    """An answer, made from a value's attributes."""

    model_config = ConfigDict(from_attributes=True)


class Asked(BaseModel):
    """A body that asks for something; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid")


class PageOf(Shape, Generic[T]):
    """Some of a list, and where it goes on."""

    items: list[T]
    next: str | None = Field(default=None, description="Given as `after`, gets the next page; null at the end.")


class Done(Shape):
    """It is done."""

    ok: bool = True
