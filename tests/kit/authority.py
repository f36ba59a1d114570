"""An authorization server for the tests: metadata, keys and tokens over HTTP."""

from __future__ import annotations

import base64
import http.server
import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qsl

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

AUDIENCE = "https://mcp.example.org/mcp"


class Authority:
    """An authorization server: metadata, keys and tokens."""

    def __init__(self) -> None:
        self.paths: dict[str, Callable[[], tuple[int, Any]]] = {}
        self.asked: list[str] = []
        self.forms: list[dict[str, str]] = []
        """What was sent to the token endpoint."""
        self.keys: dict[str, Any] = {}
        authority = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                authority.asked.append(self.path)
                status, content = authority.paths.get(self.path, lambda: (404, {}))()
                body = content if isinstance(content, bytes) else json.dumps(content).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self) -> None:
                form = dict(parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode()))
                authority.forms.append(form)
                known = self.headers["Authorization"] == "Basic " + base64.b64encode(b"lab:s3cret").decode()
                if self.path == "/token" and form.get("grant_type") == "client_credentials" and known:
                    claims = {"aud": form["resource"], "sub": "lab", "client_id": "lab"}
                    status, content = 200, {"access_token": authority.token(**claims), "token_type": "Bearer"}
                else:
                    status, content = 401, {"error": "invalid_client"}
                body = json.dumps(content).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - named so by the library
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.issuer = f"http://127.0.0.1:{self._server.server_address[1]}/tenant"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        self.paths["/.well-known/oauth-authorization-server/tenant"] = self.metadata
        self.paths["/keys"] = lambda: (200, {"keys": self.public_keys()})
        self.add("first", rsa.generate_private_key(public_exponent=65537, key_size=2048))

    def metadata(self) -> tuple[int, Any]:
        root = self.issuer.removesuffix("/tenant")
        return 200, {
            "issuer": self.issuer, "jwks_uri": root + "/keys", "token_endpoint": root + "/token",
            "authorization_endpoint": root + "/authorize", "response_types_supported": ["code"],
            "grant_types_supported": ["client_credentials"],
        }  # fmt: skip

    def add(self, kid: str, key: Any) -> None:
        """A private key, whose public half is among the keys from now on."""
        self.keys[kid] = key

    def public_keys(self) -> list[dict[str, Any]]:
        """The key set."""
        published: list[dict[str, Any]] = []
        for kid, key in self.keys.items():
            public = key.public_key()
            match public:
                case rsa.RSAPublicKey():
                    described = RSAAlgorithm.to_jwk(public, as_dict=True)
                case ec.EllipticCurvePublicKey():
                    described = ECAlgorithm.to_jwk(public, as_dict=True)
                case _:
                    described = OKPAlgorithm.to_jwk(public, as_dict=True)
            published.append({**described, "kid": kid, "use": "sig"})
        return published

    def claims(self, **changed: Any) -> dict[str, Any]:
        """Those of a good token, with these instead; None leaves one out."""
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": AUDIENCE, "sub": "somebody", "iat": now, "exp": now + 60, **changed}
        return {name: value for name, value in claims.items() if value is not None}

    def token(self, kid: str | None = "first", algorithm: str = "RS256", key: Any = None, **changed: Any) -> str:
        signing = key or self.keys[kid or "first"]
        return jwt.encode(self.claims(**changed), signing, algorithm, headers={"kid": kid} if kid else {})

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def authority_of_a_test() -> Iterator[Authority]:
    """A fixture by `authority = pytest.fixture(authority_of_a_test)`."""
    authority = Authority()
    yield authority
    authority.close()
