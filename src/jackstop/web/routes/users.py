"""`/v1/users`: people, their roles, and the one-time links that let them in."""

from typing import Annotated, Literal

from fastapi import Path, Request
from pydantic import Field

from jackstop.store import people
from jackstop.store.people import User
from jackstop.web import gate, setup
from jackstop.web.asking import Ctx
from jackstop.web.deeds import deed
from jackstop.web.errors import Refused
from jackstop.web.routing import Routes
from jackstop.web.shapes import Asked, Moment, PageOf, Shape

routes = Routes("users")
Role = Literal["viewer", "analyst", "approver", "administrator"]
Name = Annotated[str, Field(pattern=setup.NAME.pattern.join("^$"), examples=["mori"])]
Named = Annotated[str, Path(min_length=1, max_length=100)]


class AddUser(Asked):
    """Somebody to let in."""

    name: Name
    role: Role


class ChangeUser(Asked):
    """What is to be changed; what is left out stays. All sessions of the user end."""

    role: Role | None = None
    disabled: bool | None = None


class UserLine(Shape):
    """A user."""

    name: str
    role: str
    disabled: bool
    ready: bool = Field(description="Whether they can log in: password and codes are enrolled, or a provider knows them.")
    provider: bool = Field(description="Whether they log in by OpenID Connect.")
    created_at: Moment


class Invited(UserLine):
    """A user with the link by which they choose a password; it holds a day, serves once, and is shown only here."""

    link: str


@routes.on("GET", "/v1/users", "administrator", PageOf[UserLine])
def listing(context: Ctx) -> PageOf[UserLine]:
    """All users by name."""
    with context.database.read() as connection:
        return PageOf(items=[_line(u) for u in people.listing(connection)])


@routes.on("POST", "/v1/users", "administrator", Invited, status_code=201)
def add(request: Request, context: Ctx, body: AddUser) -> Invited:
    """Add a user, and get the link to give to them."""
    who, at = gate.who(request), context.clock()
    with deed(context, who.name, "user.add", body.name, role=body.role) as connection:
        people.add(connection, body.name, body.role, at)
        link = setup.invite(connection, body.name, at)
        made = people.find(connection, body.name)
    return Invited(**_line(_there(made, body.name)).model_dump(), link=link)


@routes.on("PATCH", "/v1/users/{name}", "administrator", UserLine)
def change(request: Request, context: Ctx, name: Named, body: ChangeUser) -> UserLine:
    """Give a user another role, or let them in no longer or again."""
    if body.role is None and body.disabled is None:
        raise Refused(409, "nothing to change, expected a role or disabled")
    who = gate.who(request)
    with deed(context, who.name, "user.change", name, role=body.role, disabled=body.disabled) as connection:
        user = _there(people.find(connection, name), name)
        if body.role is not None:
            people.set_role(connection, name, body.role)
        if body.disabled is not None:
            people.set_disabled(connection, name, body.disabled)
        _one_left(user, people.administrators(connection))
        made = people.find(connection, name)
    return _line(_there(made, name))


@routes.on("POST", "/v1/users/{name}/reset", "administrator", Invited)
def reset(request: Request, context: Ctx, name: Named) -> Invited:
    """Take a user's password and codes away, and get a new link to give to them."""
    who, at = gate.who(request), context.clock()
    with deed(context, who.name, "user.reset", name) as connection:
        user = _there(people.find(connection, name), name)
        if user.subject is not None:
            raise ValueError(f"user {name!r} logs in by OpenID Connect and has no password here")
        people.forget(connection, name)
        _one_left(user, people.administrators(connection))
        link = setup.invite(connection, name, at)
        made = people.find(connection, name)
    return Invited(**_line(_there(made, name)).model_dump(), link=link)


def _one_left(before: User, administrators: int) -> None:
    if before.role == "administrator" and before.ready and not administrators:
        raise ValueError("this is the last administrator, expected another one first")


def _there(user: User | None, name: str) -> User:
    if user is None:
        raise LookupError(f"no user {name!r}")
    return user


def _line(user: User) -> UserLine:
    return UserLine(
        name=user.name,
        role=user.role,
        disabled=user.disabled,
        ready=user.ready,
        provider=user.subject is not None,
        created_at=user.created_at,
    )
