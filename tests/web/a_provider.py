"""An OpenID Connect provider in memory: it signs real tokens, and can be made to lie."""

import base64
import hashlib
from urllib.parse import parse_qs, unquote

import httpx
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet

ISSUER = "https://id.example"
CLIENT = "jackstop"
SECRET = "client-secret-of-the-bank"


class Provider:
    """What the provider remembers and how it answers.

    Attributes:
        claims: laid over what it says truly. sign_with: another key than it publishes. signed: how it signs.
        asked: addresses asked for.
    """

    def __init__(self, clock):
        self.clock = clock
        self.key = ECKey.generate_key("P-256", {"kid": "one", "alg": "ES256", "use": "sig"})
        self.claims, self.sign_with, self.asked = {}, None, []
        self.codes = {}
        self.issuer = ISSUER
        self.signed = lambda claims, key: jwt.encode({"alg": "ES256", "kid": key.kid}, claims, key)

    @property
    def transport(self):
        return httpx.MockTransport(self.answer)

    def log_in(self, url, sub="u-1", groups=("soc",), **more):
        """Somebody logs in at the provider; gives what it sends the browser back with."""
        asked = {k: v[0] for k, v in parse_qs(url.partition("?")[2]).items()}
        assert asked["code_challenge_method"] == "S256"
        assert asked["response_type"] == "code"
        code = f"code-{len(self.codes)}"
        self.codes[code] = (asked, {"sub": sub, "groups": list(groups), "preferred_username": "Mori", **more})
        return {"code": code, "state": asked["state"], "iss": self.issuer}

    def answer(self, request):
        self.asked.append(request.url.path)
        match request.url.path:
            case "/.well-known/openid-configuration":
                return httpx.Response(
                    200,
                    json={
                        "issuer": self.issuer,
                        "authorization_endpoint": f"{ISSUER}/authorize",
                        "token_endpoint": f"{ISSUER}/token",
                        "jwks_uri": f"{ISSUER}/keys",
                    },
                )
            case "/keys":
                return httpx.Response(200, json=KeySet([self.key]).as_dict(private=False))
            case "/token":
                return self.token(request)
        return httpx.Response(404)

    def token(self, request):
        form = {k: v[0] for k, v in parse_qs(request.content.decode()).items()}
        known = base64.b64decode(request.headers["authorization"].removeprefix("Basic ")).decode()
        if tuple(map(unquote, known.split(":"))) != (CLIENT, SECRET) or form.get("code") not in self.codes:
            return httpx.Response(400, json={"error": "invalid_grant"})
        asked, who = self.codes.pop(form["code"])
        proof = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest()).decode().rstrip("=")
        if proof != asked["code_challenge"] or form["redirect_uri"] != asked["redirect_uri"]:
            return httpx.Response(400, json={"error": "invalid_grant"})
        now = self.clock() // 1_000_000
        claims = {"iss": ISSUER, "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": asked["nonce"], **who, **self.claims}
        claims = {k: v for k, v in claims.items() if v is not None}
        key = self.sign_with or self.key
        signed = self.signed(claims, key)
        return httpx.Response(200, json={"access_token": "x", "token_type": "Bearer", "id_token": signed})
