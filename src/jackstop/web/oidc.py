"""Logging in by an OpenID Connect provider: authorization code with PKCE; state and nonce sealed in a short-lived cookie.

Source: OpenID Connect Core 1.0, 3.1; RFC 7636 (PKCE); RFC 9207 (issuer in the answer).
"""

import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

import httpx
import msgspec
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri, prepare_token_request
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from jackstop.model.service import OidcInfo
from jackstop.store import audit, people
from jackstop.store.people import ROLES, User
from jackstop.web.context import Context
from jackstop.web.login import Opened, begin
from jackstop.web.setup import NAME

ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"]
"""Signatures only: never `none`, never a shared secret."""
COOKIE = "jackstop-oidc"
CALLBACK = "/login/oidc/callback"
VALID = 600 * 1_000_000
_KEPT = 3600 * 1_000_000
_LEEWAY = 60
_LARGEST = 1 << 20
_SEALED_FOR = "oidc"


class OidcFault(Exception):
    """The login by the provider did not come about; the message says why, and holds no secret."""


class _State(msgspec.Struct):
    state: str
    nonce: str
    verifier: str
    made_at: int


@dataclass(frozen=True, slots=True)
class Endpoints:
    """What the provider's discovery document says."""

    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    issuer: str


class Provider:
    """The provider of `[oidc]`. Its documents are kept for an hour.

    Args:
        here: this service's own URL, as browsers see it.
    """

    def __init__(self, context: Context, info: OidcInfo, here: str) -> None:
        self._context, self._info = context, info
        self._redirect = here.rstrip("/") + CALLBACK
        self._known: tuple[Endpoints, int] | None = None
        self._keys: tuple[KeySet, int] | None = None

    async def begin(self) -> tuple[str, str]:
        """Where to send the browser, and what to keep in its cookie.

        Raises:
            OidcFault: the provider cannot be reached.
        """
        endpoints = await self._endpoints()
        made = _State(secrets.token_urlsafe(32), secrets.token_urlsafe(32), secrets.token_urlsafe(48), self._context.clock())
        url = prepare_grant_uri(
            endpoints.authorization_endpoint,
            self._info.client_id,
            "code",
            redirect_uri=self._redirect,
            scope="openid profile email",
            state=made.state,
            nonce=made.nonce,
            code_challenge=create_s256_code_challenge(made.verifier),
            code_challenge_method="S256",
        )
        return str(url), self._context.keyring.seal(msgspec.json.encode(made), _SEALED_FOR).hex()

    async def finish(self, cookie: str, said: dict[str, str], address: str) -> Opened:
        """The session of whoever the provider names.

        Args:
            cookie: what `begin` gave. said: the query of the provider's answer. address: of the browser.

        Raises:
            OidcFault: something does not hold, or this person has no role here.
        """
        kept = self._kept(cookie)
        if not secrets.compare_digest(said.get("state", "").encode(), kept.state.encode()):
            raise OidcFault("the answer belongs to another login")
        if said.get("iss", self._info.issuer) != self._info.issuer:
            raise OidcFault("the answer comes from another issuer")
        if "code" not in said:
            raise OidcFault("the provider refused")
        claims = await self._claims(said["code"], kept)
        return _enter(self._context, self._info, claims, address)

    def _kept(self, cookie: str) -> _State:
        try:
            plain = self._context.keyring.unseal(bytes.fromhex(cookie), _SEALED_FOR)
            kept = msgspec.json.decode(plain or b"", type=_State)
        except (ValueError, msgspec.DecodeError):
            raise OidcFault("this browser began no login") from None
        if self._context.clock() >= kept.made_at + VALID:
            raise OidcFault("the login took too long")
        return kept

    async def _claims(self, code: str, kept: _State) -> dict[str, object]:
        """What the provider's signed answer says, held against what was asked."""
        endpoints = await self._endpoints()
        token = await self._token(endpoints, code, kept.verifier)
        if not isinstance(token, str) or len(token) > _LARGEST:
            raise OidcFault("the provider's answer has no id_token")
        try:
            decoded = await self._decoded(token, endpoints)
            wanted = jwt.JWTClaimsRegistry(
                now=self._context.clock() // 1_000_000,
                leeway=_LEEWAY,
                iss={"essential": True, "value": self._info.issuer},
                aud={"essential": True, "value": self._info.client_id},
                exp={"essential": True},
                iat={"essential": True},
                sub={"essential": True},
                nonce={"essential": True, "value": kept.nonce},
            )
            wanted.validate(decoded)
        except (JoseError, ValueError) as fault:
            raise OidcFault(f"the id_token does not hold ({type(fault).__name__})") from None
        if isinstance(decoded["aud"], list) and len(decoded["aud"]) > 1 and decoded.get("azp") != self._info.client_id:
            raise OidcFault("the id_token was made for another client")
        return dict(decoded)

    async def _token(self, endpoints: Endpoints, code: str, verifier: str) -> object:
        """The id_token that the provider gives for a code (RFC 6749, 4.1.3; the client's secret in the header, 2.3.1)."""
        body = prepare_token_request("authorization_code", redirect_uri=self._redirect, code=code, code_verifier=verifier)
        known = (quote(self._info.client_id, safe=""), quote(self._context.secret(self._info.client_secret), safe=""))
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        try:
            async with httpx.AsyncClient(transport=self._context.transport, timeout=10) as client:
                answer = await client.post(endpoints.token_endpoint, content=body, headers=headers, auth=httpx.BasicAuth(*known))
                said = answer.json() if answer.status_code == 200 and len(answer.content) <= _LARGEST else None
        except (httpx.HTTPError, ValueError) as fault:
            raise OidcFault(f"the provider gave no token ({type(fault).__name__})") from None
        if not isinstance(said, dict):
            raise OidcFault("the provider gave no token")
        return said.get("id_token")

    async def _decoded(self, token: str, endpoints: Endpoints) -> dict[str, object]:
        """The claims of a token signed by the provider; its keys are fetched again once where none fits."""
        try:
            return dict(jwt.decode(token, await self._keyset(endpoints), algorithms=ALGORITHMS).claims)
        except (JoseError, ValueError):
            self._keys = None
            return dict(jwt.decode(token, await self._keyset(endpoints), algorithms=ALGORITHMS).claims)

    async def _keyset(self, endpoints: Endpoints) -> KeySet:
        now = self._context.clock()
        if self._keys is None or now >= self._keys[1] + _KEPT:
            self._keys = (KeySet.import_key_set(await self._document(endpoints.jwks_uri)), now)  # type: ignore[arg-type]
        return self._keys[0]

    async def _endpoints(self) -> Endpoints:
        now = self._context.clock()
        if self._known is None or now >= self._known[1] + _KEPT:
            said = await self._document(self._info.issuer.rstrip("/") + "/.well-known/openid-configuration")
            found = Endpoints(*(_url(said.get(n)) for n in ("authorization_endpoint", "token_endpoint", "jwks_uri", "issuer")))
            if found.issuer != self._info.issuer:
                raise OidcFault("the provider's document names another issuer")
            self._known = (found, now)
        return self._known[0]

    async def _document(self, url: str) -> dict[str, object]:
        """A JSON document of the provider."""
        try:
            async with httpx.AsyncClient(transport=self._context.transport, timeout=10) as client:
                answer = await client.get(url)
                answer.raise_for_status()
                said = answer.json() if len(answer.content) <= _LARGEST else None
        except (httpx.HTTPError, ValueError) as fault:
            raise OidcFault(f"the provider cannot be reached ({type(fault).__name__})") from None
        if not isinstance(said, dict):
            raise OidcFault("the provider's document is none")
        return said


def _url(value: object) -> str:
    """An address of the provider: TLS, or loopback.

    Raises:
        OidcFault: it is none.
    """
    parts = urlsplit(str(value))
    if parts.scheme != "https" and parts.hostname not in {"localhost", "127.0.0.1", "::1"}:
        raise OidcFault("the provider's document has an address without TLS")
    return str(value)


def _enter(context: Context, info: OidcInfo, claims: dict[str, object], address: str) -> Opened:
    """The session of a person: known or made by subject, never by name, with the role the claim gives."""
    subject = f"{info.issuer} {claims['sub']}"[:400]
    role, now = _role(info, claims), context.clock()
    with context.database.write() as connection:
        user = people.by_subject(connection, subject)
        name = user.name if user else _free(claims, lambda n: people.find(connection, n) is None)
        opened = None
        if role and not (user and user.disabled):
            if user is None:
                people.add(connection, name, role, now, subject)
                audit.append(connection, now, name, "user.added", name, f"by OpenID Connect, {role}")
            elif user.role != role:
                people.set_role(connection, name, role)
                audit.append(connection, now, name, "user.role", name, f"by OpenID Connect, {role}")
            opened = begin(connection, context, User(name, role, None, None, None, subject, False, now), address)
        audit.append(
            connection, now, name, "login.done" if opened else "login.failed", name, f"by OpenID Connect, from {address}"
        )
    if opened is None:
        raise OidcFault("this person has no role here")
    return opened


def _role(info: OidcInfo, claims: dict[str, object]) -> str:
    """The greatest role that the claim's values give; empty for none."""
    said = claims.get(info.claim, [])
    listed = [str(v) for v in said] if isinstance(said, list) else [str(said)]
    return max((info.roles[v] for v in listed if v in info.roles), key=ROLES.index, default="")


def _free(claims: dict[str, object], free: Callable[[str], bool]) -> str:
    """A name for somebody new: what the provider calls them, with some of their subject's digest where that is taken."""
    said = str(claims.get("preferred_username") or claims.get("email") or claims["sub"])
    plain = re.sub(r"[^a-z0-9._@-]", "-", said.casefold())[:48].lstrip("._@-")
    name = plain if NAME.fullmatch(plain) else "person"
    return name if name not in people.RESERVED and free(name) else f"{name}-{people.digest(str(claims['sub']))[:12]}"
