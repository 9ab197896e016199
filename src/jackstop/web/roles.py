"""Who may do what: every route names one need, and whoever calls either meets it or not."""

from dataclasses import dataclass

from jackstop.store.people import ROLES

PUBLIC = "public"
"""Anybody: liveness, and what leads to a login."""
PERSON = "person"
"""Somebody logged in with a browser, in whatever role: their own account."""
INTERLOCK = "interlock"
"""A token with this scope: the switch that asks before it lets cash out."""
METRICS = "metrics"
"""A token with this scope, an administrator, or a caller on this machine."""
NEEDS = (PUBLIC, PERSON, *ROLES, INTERLOCK, METRICS)


@dataclass(frozen=True, slots=True)
class Principal:
    """Who calls.

    Attributes:
        name: the user's, or `token:NAME`. role: empty for tokens without one. scopes: of a token.
        session: digest of the login's cookie, empty for tokens. csrf: what must come back with a change; empty for tokens.
    """

    name: str
    role: str = ""
    scopes: frozenset[str] = frozenset()
    session: str = ""
    csrf: str = ""

    def at_least(self, role: str) -> bool:
        """Whether the role is this one or more."""
        return bool(self.role) and ROLES.index(self.role) >= ROLES.index(role)


def meets(who: Principal | None, need: str, *, here: bool = False) -> bool:
    """Whether somebody (None: nobody known) meets a need.

    Args:
        here: whether the caller is on this machine.

    Raises:
        ValueError: no such need: a route is declared wrongly.
    """
    match need:
        case "public":
            return True
        case "person":
            return who is not None and bool(who.session)
        case "interlock":
            return who is not None and INTERLOCK in who.scopes
        case "metrics":
            return here or (who is not None and (METRICS in who.scopes or who.at_least("administrator")))
        case role if role in ROLES:
            return who is not None and who.at_least(role)
        case _:
            raise ValueError(f"need {need!r}, expected one of: {', '.join(NEEDS)}")


def widest(scopes: tuple[str, ...]) -> str:
    """The greatest role among a token's scopes; empty for none."""
    return max((s for s in scopes if s in ROLES), key=ROLES.index, default="")
