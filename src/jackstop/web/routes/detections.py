"""`/v1/detections`: what is detected, in words, with what each needs and cannot see."""

from pydantic import Field

from jackstop import detections
from jackstop.detections import Text
from jackstop.web.asking import Lang
from jackstop.web.errors import Refused
from jackstop.web.routing import Routes
from jackstop.web.shapes import PageOf, Shape

routes = Routes("detections")


class DetectionLine(Shape):
    """A detection in a list."""

    id: str
    title: str
    level: str = Field(description="The gravest severity it claims.")
    stage: str = Field(description="Of an attack, empty for none.")
    needs: list[str]
    attack: list[str]
    shipped: bool = Field(description="Whether it comes with jackstop.")


class InWords(Shape):
    """A text in English and Japanese."""

    en: str
    ja: str


class CaseOfTest(Shape):
    """One of the cases a detection is tested with."""

    name: str
    fires: bool


class DetectionWhole(DetectionLine):
    """A detection with all its words."""

    titles: InWords
    why: InWords
    first_step: InWords
    silenced_by: list[str]
    gaps: str = Field(description="What it cannot see.")
    tests: list[CaseOfTest]


@routes.on("GET", "/v1/detections", "viewer", PageOf[DetectionLine])
def listing(lang: Lang) -> PageOf[DetectionLine]:
    """All detections in use, by id."""
    return PageOf(items=[_line(name, lang) for name in detections.names()])


@routes.on("GET", "/v1/detections/{detection}", "viewer", DetectionWhole)
def one(detection: str, lang: Lang) -> DetectionWhole:
    """One detection with all its words."""
    if detection not in detections.names():
        raise Refused(404, f"no detection {detection[:100]!r}")
    found = detections.find(detection)
    m = found.META
    return DetectionWhole(
        **_line(detection, lang).model_dump(),
        titles=_words(m.title),
        why=_words(m.why),
        first_step=_words(m.first_step),
        silenced_by=list(m.silenced_by),
        gaps=m.gaps,
        tests=[CaseOfTest(name=c.name, fires=bool(c.fires)) for c in found.TESTS],
    )


def _line(name: str, lang: str) -> DetectionLine:
    m = detections.find(name).META
    return DetectionLine(
        id=name,
        title=m.title.ja if lang == "ja" else m.title.en,
        level=m.level,
        stage=m.stage,
        needs=list(m.needs),
        attack=list(m.attack),
        shipped=name in detections.shipped(),
    )


def _words(text: Text) -> InWords:
    return InWords(en=text.en, ja=text.ja)
