"""Rule files as YAML documents with the line of every key, or as faults.

YAML 1.1 safe types only (PyYAML's safe constructor). Refused: files beyond 1 MiB, more than 1,000 documents, deeper nesting
than 32, keys twice in one mapping, aliases (a few lines of them can stand for gigabytes).
"""

from dataclasses import dataclass, field
from typing import Any

import yaml

from jackstop.rules.fault import Fault

LARGEST = 1 << 20
MOST = 1000
DEEPEST = 32

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """One mapping of a file.

    Attributes:
        path: of the file. place: from 0, in the file. body: the mapping. lines: the line (from 1) of every key and item.
    """

    path: str
    place: int
    body: dict[str, Any]
    lines: dict[Path, int] = field(repr=False)

    def line(self, *at: str | int) -> int:
        """The line of a key, or of the nearest key above it that there is."""
        while at and at not in self.lines:
            at = at[:-1]
        return self.lines[at]

    def line_of_field(self, name: str) -> int:
        """The line of the first key `name` or `name|…` in the detection; else of the detection."""
        found = [n for p, n in self.lines.items() if p and p[0] == "detection" and str(p[-1]).split("|", 1)[0] == name]
        return min(found, default=self.line("detection"))


def read(path: str, text: str) -> tuple[list[Document], list[Fault]]:
    """The documents of one file and its faults; a document with a fault is left out."""
    if len(text.encode("utf-8", "replace")) > LARGEST:
        return [], [Fault(path, 1, "file", f"file has more than {LARGEST} bytes", "smaller files")]
    found: list[Document] = []
    faults: list[Fault] = []
    try:
        loader = _Loader(text)
    except yaml.YAMLError as fault:
        return [], [_unreadable(path, fault)]
    try:
        place = 0
        while loader.check_node():
            node = loader.get_node()
            if place >= MOST:
                faults.append(Fault(path, node.start_mark.line + 1, "file", f"more than {MOST} documents", "fewer"))
                break
            wrong = _document(path, place, node, loader, found)
            faults += wrong
            place += 1
    except yaml.YAMLError as fault:
        faults.append(_unreadable(path, fault, last=text.count("\n") + 1))
    except RecursionError:
        faults.append(Fault(path, 1, "file", f"nesting deeper than {DEEPEST}", "flatter documents"))
    finally:
        loader.dispose()
    if not found and not faults:
        faults.append(Fault(path, 1, "file", "no document", "a Sigma rule"))
    return found, faults


def _document(path: str, place: int, node: yaml.Node, loader: Any, found: list[Document]) -> list[Fault]:  # noqa: ANN401
    """Add one document, or say why not."""
    lines: dict[Path, int] = {(): node.start_mark.line + 1}
    if isinstance(node, yaml.ScalarNode) and node.value in {"", "~", "null"}:
        return []
    if not isinstance(node, yaml.MappingNode):
        return [Fault(path, lines[()], "file", "document is no mapping", "keys such as title, logsource and detection")]
    faults = _Walk(path, lines).walk(node, (), 0)
    if faults:
        return faults
    try:
        body = loader.construct_document(node)
    except (yaml.YAMLError, ValueError, OverflowError) as fault:
        return [_unreadable(path, fault, lines[()])]
    found.append(Document(path, place, body, lines))
    return []


class _Walk:
    """Lines of a document's keys, and what is wrong with its shape."""

    def __init__(self, path: str, lines: dict[Path, int]) -> None:
        self._path, self._lines = path, lines
        self._seen: set[int] = set()

    def walk(self, node: yaml.Node, at: Path, depth: int) -> list[Fault]:
        """Faults of a node and everything in it."""
        line = node.start_mark.line + 1
        if depth > DEEPEST:
            return [Fault(self._path, line, "file", f"nesting deeper than {DEEPEST}", "flatter documents")]
        if isinstance(node, yaml.ScalarNode):
            return []
        if id(node) in self._seen:
            return [Fault(self._path, line, "file", "an alias stands for a list or mapping", "the text written out")]
        self._seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            faults = []
            for i, item in enumerate(node.value):
                self._lines[*at, i] = item.start_mark.line + 1
                faults += self.walk(item, (*at, i), depth + 1)
            return faults
        return self._mapping(node, at, depth)

    def _mapping(self, node: yaml.Node, at: Path, depth: int) -> list[Fault]:
        faults: list[Fault] = []
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                faults.append(Fault(self._path, line, "file", "a key is no plain text", "a word as key"))
                continue
            if (*at, key.value) in self._lines:
                first = self._lines[*at, key.value]
                faults.append(
                    Fault(self._path, line, "file", f"key {key.value!r} twice (first in line {first})", "each key once")
                )
            self._lines[*at, key.value] = line
            faults += self.walk(value, (*at, key.value), depth + 1)
        return faults


def _unreadable(path: str, fault: Exception, line: int = 1, last: int = 1 << 30) -> Fault:
    mark = getattr(fault, "problem_mark", None)
    problem = getattr(fault, "problem", None) or str(fault)
    return Fault(
        path, min(mark.line + 1, last) if mark else line, "file", f"no YAML: {str(problem)[:200]}", "a Sigma rule in YAML"
    )
