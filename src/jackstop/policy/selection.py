"""Which terminals a part of the policy is for."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict

from jackstop.model.fleet import Terminal


class Strict(BaseModel):
    """A table of `policy.toml`: unknown keys are refused, nothing changes after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _glob(text: str) -> str:
    if not re.fullmatch(r"[^\x00-\x1f*?\[\]]{1,200}\*?|\*", text):
        raise ValueError(f"{text!r} names no terminal, expected an id, or its beginning and *")
    return text


Names = tuple[Annotated[str, AfterValidator(_glob)], ...]
"""Ids of terminals; one that ends in `*` means all that begin so."""


class Selector(Strict):
    """Which terminals are meant: those named, of these regions, at sites of these kinds; all that is given must hold."""

    terminals: Names = ()
    regions: tuple[str, ...] = ()
    sites: tuple[Literal["indoor", "outdoor", "drive-up"], ...] = ()

    def fits(self, terminal: Terminal) -> bool:
        """Whether a terminal is meant; a terminal without a site counts as indoor."""
        site = terminal.site.kind if terminal.site else "indoor"
        named = not self.terminals or any(_named(n, terminal.id) for n in self.terminals)
        return named and (not self.regions or terminal.region in self.regions) and (not self.sites or site in self.sites)


def _named(name: str, terminal: str) -> bool:
    return terminal.startswith(name[:-1]) if name.endswith("*") else terminal == name
