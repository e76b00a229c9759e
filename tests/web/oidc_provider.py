"""A tiny provider of OpenID Connect on loopback: discovery, token with PKCE, keys and who it is, by real HTTP."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

CLIENT, SECRET = "claw", "of-the-client"


class Provider:
    """What it says of the person who signs in next is `person`; `key` signs, and `shown` is the key it shows."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.person: dict[str, Any] = {}
        self.key = self.shown = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.challenge = ""

    def sent(self, to: str) -> dict[str, str]:
        """What a browser brings back from where it was sent."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(to).query).items()}
        assert to.startswith(f"{self.url}/authorize?")
        assert asked["code_challenge_method"] == "S256"
        self.challenge = asked["code_challenge"]
        return {"code": "once", "state": asked["state"]}

    def answer(self, path: str, said: dict[str, list[str]], authorization: str) -> dict[str, Any] | None:
        match path:
            case "/.well-known/openid-configuration":
                names = {"authorization": "authorize", "token": "token", "userinfo": "userinfo"}
                return {
                    "issuer": self.url,
                    "jwks_uri": f"{self.url}/jwks",
                    "token_endpoint_auth_methods_supported": ["client_secret_post"],
                    **{f"{name}_endpoint": f"{self.url}/{at}" for name, at in names.items()},
                }
            case "/jwks":
                key = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self.shown.public_key()))
                return {"keys": [{**key, "kid": "1", "alg": "RS256", "use": "sig"}]}
            case "/token" if self._is_ours(said):
                return {"access_token": "at", "token_type": "Bearer", "id_token": self._signed()}
            case "/userinfo" if authorization == "Bearer at":
                return self.person
        return None

    def _is_ours(self, said: dict[str, list[str]]) -> bool:
        digest = hashlib.sha256(said["code_verifier"][0].encode()).digest()
        proven = base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == self.challenge
        return proven and (said["client_id"][0], said["client_secret"][0]) == (CLIENT, SECRET)

    def _signed(self) -> str:
        now = int(time.time())
        claims = {**self.person, "iss": self.url, "aud": CLIENT, "iat": now, "exp": now + 60}
        return jwt.encode(claims, self.key, algorithm="RS256", headers={"kid": "1"})


@contextmanager
def provider() -> Iterator[Provider]:
    """One that answers until this is left."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._say({})

        def do_POST(self) -> None:
            self._say(parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode()))

        def _say(self, said: dict[str, list[str]]) -> None:
            found = here.answer(urlsplit(self.path).path, said, self.headers.get("Authorization", ""))
            body = json.dumps(found or {"error": "invalid_request"}).encode()
            self.send_response(400 if found is None else 200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    here = Provider(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield here
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
