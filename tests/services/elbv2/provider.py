"""An OpenID Connect provider whose only user consents to everything at once."""

from __future__ import annotations

import json
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

CLIENT = "client"


class Provider:
    """A provider, by HTTPS where it is given a context. `time` is the clock of its tokens."""

    def __init__(self, time: float, context: ssl.SSLContext | None = None) -> None:
        self.time = time
        self.key = rsa.generate_private_key(65537, 2048)
        self.claims: dict[str, Any] = {"sub": "user-1", "email": "user@example.com"}
        self.id_claims: dict[str, Any] = {}
        """Claims of ID tokens that are others than they should be."""
        self.more: dict[str, Any] = {}
        """Further members of answers with tokens."""
        self.forms: list[dict[str, str]] = []
        self.logins = 0
        self.is_logged_out = False
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._make_handler())
        self._server.daemon_threads = True
        if context is not None:
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.url = f"http{'s' if context else ''}://localhost:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def _make_handler(self) -> type[BaseHTTPRequestHandler]:
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                url = urlsplit(self.path)
                match url.path:
                    case "/authorize":
                        self.send_response(302)
                        self.send_header("location", provider.authorize(_flatten(url.query)))
                        self.send_header("content-length", "0")
                        self.end_headers()
                    case "/info":
                        self.answer(provider.find_claims(self.headers["authorization"]))
                    case "/keys":
                        self.answer({"keys": [provider.public_key]})

            def do_POST(self) -> None:
                form = _flatten(self.rfile.read(int(self.headers["content-length"])).decode())
                self.answer(provider.give_tokens(form), failing={"error": "invalid_grant"})

            def answer(self, content: dict[str, Any] | None, failing: dict[str, Any] | None = None) -> None:
                body = json.dumps(failing if content is None else content).encode()
                self.send_response(400 if content is None else 200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        return Handler

    @property
    def public_key(self) -> dict[str, Any]:
        key: dict[str, Any] = json.loads(RSAAlgorithm.to_jwk(self.key.public_key()))
        return {**key, "kid": "one", "alg": "RS256", "use": "sig"}

    def authorize(self, query: dict[str, str]) -> str:
        """Return where a user is sent who has logged in."""
        self.logins += 1
        code = f"code-{self.logins}"
        return f"{query['redirect_uri']}?{urlencode({'code': code, 'state': query['state']})}"

    def give_tokens(self, form: dict[str, str]) -> dict[str, Any] | None:
        """Return tokens for a grant; None where it is none."""
        self.forms.append(form)
        is_refresh = form["grant_type"] == "refresh_token"
        if not form["refresh_token" if is_refresh else "code"].startswith("code-") or form["client_secret"] != "secret":
            return None
        if is_refresh and self.is_logged_out:
            return None
        tokens = {"access_token": f"token-{len(self.forms)}", "token_type": "Bearer", **self.more}
        return tokens if is_refresh else {**tokens, "id_token": self.sign(**self.id_claims)}

    def find_claims(self, authorization: str) -> dict[str, Any] | None:
        """Return what is known of the user whose token this is."""
        return self.claims if authorization == f"Bearer token-{len(self.forms)}" else None

    def sign(self, key: Any = None, **claims: Any) -> str:
        """Return a token for the client that ends in an hour; a claim of None is left out."""
        said = {"iss": self.url, "aud": CLIENT, "sub": "user-1", "iat": self.time, "exp": self.time + 3600, **claims}
        content = {name: value for name, value in said.items() if value is not None}
        return jwt.encode(content, key or self.key, "RS256", headers={"kid": "one"})

    def make_action(self, **more: Any) -> dict[str, Any]:
        """Return the action by which a rule has users log in here."""
        config = {
            "Issuer": self.url,
            "AuthorizationEndpoint": f"{self.url}/authorize",
            "TokenEndpoint": f"{self.url}/token",
            "UserInfoEndpoint": f"{self.url}/info",
            "ClientId": CLIENT,
            "ClientSecret": "secret",
            "SessionTimeout": 3600,
            **more,
        }
        return {"Type": "authenticate-oidc", "Order": 1, "AuthenticateOidcConfig": config}

    def close(self) -> None:
        """End it."""
        self._server.shutdown()
        self._server.server_close()


def _flatten(text: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(text).items()}
