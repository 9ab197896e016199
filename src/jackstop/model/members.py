"""Members of a room: a plug-in's name is its file's name, with `-` for `_`; nobody keeps a list."""

import importlib
import pkgutil
from functools import cache
from types import ModuleType


@cache
def names(room: str) -> tuple[str, ...]:
    """The ids of a package's modules, sorted; those whose names begin with an underscore are its own affair.

    Args:
        room: the package's name.
    """
    package = importlib.import_module(room)
    found = (m.name for m in pkgutil.iter_modules(package.__path__) if not m.name.startswith("_"))
    return tuple(sorted(n.replace("_", "-") for n in found))


def find(room: str, name: str, what: str) -> ModuleType:
    """The member of this id.

    Args:
        room: the package's name. what: what its members are, in a word.

    Raises:
        LookupError: no such member; the message lists those there are.
    """
    if name not in names(room):
        raise LookupError(f"unknown {what} {name!r}, expected one of: {', '.join(names(room))}")
    return importlib.import_module(f"{room}.{name.replace('-', '_')}")
