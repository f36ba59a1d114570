"""An authorization server for the tests: metadata, keys and tokens over HTTP."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from kit.upstream import Loopback, Received, Reply, raw

AUDIENCE = "https://mcp.example.org/mcp"


class Authority(Loopback):
    """An authorization server: metadata, keys and tokens."""

    def __init__(self) -> None:
        self.paths: dict[str, Callable[[], tuple[int, Any]]] = {}
        self.keys: dict[str, Any] = {}
        super().__init__(self._reply)
        self.issuer = f"{self.url}/tenant"
        self.paths["/.well-known/oauth-authorization-server/tenant"] = self.metadata
        self.paths["/keys"] = lambda: (200, {"keys": self.public_keys()})
        self.keys["first"] = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def _reply(self, request: Received) -> Reply:
        if request.method == "GET":
            status, content = self.paths.get(request.path, lambda: (404, {}))()
            return raw(content, status)
        known = request.headers.get("authorization") == "Basic " + base64.b64encode(b"lab:s3cret").decode()
        if request.path != "/token" or request.form.get("grant_type") != "client_credentials" or not known:
            return raw({"error": "invalid_client"}, 401)
        claims = {"aud": request.form["resource"], "sub": "lab", "client_id": "lab"}
        return raw({"access_token": self.token(**claims), "token_type": "Bearer"})

    def metadata(self) -> tuple[int, Any]:
        root = self.issuer.removesuffix("/tenant")
        return 200, {
            "issuer": self.issuer, "jwks_uri": root + "/keys", "token_endpoint": root + "/token",
            "authorization_endpoint": root + "/authorize", "response_types_supported": ["code"],
            "grant_types_supported": ["client_credentials"],
        }  # fmt: skip

    def public_keys(self) -> list[dict[str, Any]]:
        """The key set."""
        kinds = ((rsa.RSAPublicKey, RSAAlgorithm), (ec.EllipticCurvePublicKey, ECAlgorithm), (object, OKPAlgorithm))
        published: list[dict[str, Any]] = []
        for kid, key in self.keys.items():
            algorithm: Any = next(algorithm for kind, algorithm in kinds if isinstance(key.public_key(), kind))
            use = "enc" if kid == "encryption" else "sig"
            published.append({**algorithm.to_jwk(key.public_key(), as_dict=True), "kid": kid, "use": use})
        return published

    def claims(self, **changed: Any) -> dict[str, Any]:
        """Those of a good token, with these instead; None leaves one out."""
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": AUDIENCE, "sub": "somebody", "iat": now, "exp": now + 60, **changed}
        return {name: value for name, value in claims.items() if value is not None}

    def token(self, kid: str | None = "first", algorithm: str = "RS256", key: Any = None, **changed: Any) -> str:
        signing = key or self.keys[kid or "first"]
        return jwt.encode(self.claims(**changed), signing, algorithm, headers={"kid": kid} if kid else {})
