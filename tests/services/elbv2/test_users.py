"""Users whom load balancers authenticate: sessions by an identity provider, and bearer tokens."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from cloudlet.core.kernel.tokens import TokenSealer
from cloudlet.core.kernel.vault import Vault
from cloudlet.services.elbv2.proxy import authentication, token_validation, user_claims
from cloudlet.services.elbv2.proxy.block_server import Request, Response

_BALANCER = "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/x/1"
_KEY = "key"
_RSA = rsa.generate_private_key(65537, 2048)


class Provider:
    """An identity provider."""

    def __init__(self) -> None:
        self.claims: dict[str, Any] = {"sub": "user-1", "email": "user@example.com"}
        self.forms: list[dict[str, list[str]]] = []
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                form = parse_qs(self.rfile.read(int(self.headers["content-length"])).decode())
                provider.forms.append(form)
                self.answer({"access_token": "token-1"} if form["code"] == ["good"] else None)

            def do_GET(self) -> None:
                if self.path == "/keys":
                    key = json.loads(RSAAlgorithm.to_jwk(_RSA.public_key()))
                    self.answer({"keys": [{**key, "kid": "1", "alg": "RS256", "use": "sig"}]})
                    return
                self.answer(provider.claims if self.headers["authorization"] == "Bearer token-1" else None)

            def answer(self, content: dict[str, Any] | None) -> None:
                body = json.dumps(content).encode()
                self.send_response(200 if content is not None else 400)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"


@pytest.fixture
def provider() -> Iterator[Provider]:
    made = Provider()
    yield made
    made.server.shutdown()
    made.server.server_close()


class Clock:
    def __init__(self) -> None:
        self.time = 1_900_000_000.0

    def now(self) -> float:
        return self.time


@pytest.fixture
def block() -> Any:
    """The part of a block that the code under test needs."""
    cloud = SimpleNamespace(vault=Vault(b"v" * 32), tokens=TokenSealer(b"t" * 32))
    return SimpleNamespace(attached={}, clock=Clock(), cloud=cloud)


def _run(call: Callable[[], Any]) -> Response:
    async def run() -> Response:
        answered: Response = await call()
        return answered

    return asyncio.run(run())


def _make_action(provider: Provider, **more: str) -> dict[str, Any]:
    config = {
        "Issuer": provider.url,
        "AuthorizationEndpoint": f"{provider.url}/authorize",
        "TokenEndpoint": f"{provider.url}/token",
        "UserInfoEndpoint": f"{provider.url}/info",
        "ClientId": "client",
        "ClientSecret": "secret",
        "SessionTimeout": "3600",
        **more,
    }
    return {"Type": "authenticate-oidc", "AuthenticateOidcConfig": config}


def _request(target: str = "/", cookies: dict[str, str] | None = None) -> Request:
    sent = "; ".join(f"{name}={value}" for name, value in (cookies or {}).items())
    return Request("GET", target, [("host", "app.example.com"), ("cookie", sent)], b"")


def _read_cookies(response: Response) -> dict[str, str]:
    pairs = [value.partition(";")[0].partition("=") for name, value in response.headers if name == "set-cookie"]
    return {name: value for name, _, value in pairs}


def _get(response: Response, name: str) -> str:
    return next(value for known, value in response.headers if known == name)


def _authenticate(block: Any, action: dict[str, Any], request: Request) -> Response:
    return _run(lambda: authentication.authenticate(block, _BALANCER, _KEY, action, request))


def _come_back(block: Any, action: dict[str, Any], query: str, cookies: dict[str, str]) -> Response:
    request = _request(f"/oauth2/idpresponse?{query}", cookies)
    return _run(lambda: authentication.take_callback(block, {_KEY: action}, request))


def test_a_user_logs_in(block: Any, provider: Provider) -> None:
    action = _make_action(provider, Scope="openid email")
    sent = _authenticate(block, action, _request("/private?a=b"))
    assert sent.status == 302
    location = urlsplit(_get(sent, "location"))
    query = {name: values[0] for name, values in parse_qs(location.query).items()}
    assert location.path == "/authorize"
    assert (query["client_id"], query["scope"], query["response_type"]) == ("client", "openid email", "code")
    assert query["redirect_uri"] == "https://app.example.com/oauth2/idpresponse"
    back = _come_back(block, action, f"code=good&state={query['state']}", _read_cookies(sent))
    assert (back.status, _get(back, "location")) == (302, "https://app.example.com/private?a=b")
    assert provider.forms[0]["client_secret"] == ["secret"]
    cookies = _read_cookies(back)
    assert cookies["AWSELBAuthSessionCookie-0"]
    passed = _authenticate(block, action, _request("/private", cookies))
    assert passed.status == 200
    assert _get(passed, "x-amzn-oidc-identity") == "user-1"
    assert _get(passed, "x-amzn-oidc-accesstoken") == "token-1"
    data = _get(passed, "x-amzn-oidc-data")
    key = user_claims.show_public_key(block)
    claims = jwt.decode(data, key, ["ES256"], options={"verify_exp": False})
    assert claims["email"] == "user@example.com"
    assert jwt.get_unverified_header(data)["signer"] == _BALANCER
    block.clock.time += 3601
    assert _authenticate(block, action, _request("/private", cookies)).status == 302


@pytest.mark.parametrize(("wanted", "status"), [("allow", 200), ("deny", 401)])
def test_users_who_are_not_logged_in(block: Any, provider: Provider, wanted: str, status: int) -> None:
    response = _authenticate(block, _make_action(provider, OnUnauthenticatedRequest=wanted), _request())
    assert response.status == status
    assert not [name for name, _ in response.headers if name.startswith("x-amzn")]


def test_what_a_user_may_not_come_back_with(block: Any, provider: Provider) -> None:
    action = _make_action(provider)
    sent = _authenticate(block, action, _request())
    state = parse_qs(urlsplit(_get(sent, "location")).query)["state"][0]
    cookies = _read_cookies(sent)
    assert _come_back(block, action, "code=good", cookies).status == 401
    assert _come_back(block, action, f"code=good&state={state}x", cookies).status == 401
    assert _come_back(block, action, f"code=good&state={state}", {}).status == 401
    assert _come_back(block, action, f"code=bad&state={state}", cookies).status == 561
    assert _come_back(block, action, f"error=access_denied&state={state}", cookies).status == 401
    assert _come_back(block, action, f"error=server_error&state={state}", cookies).status == 561
    session = {"AWSELBAuthSessionCookie-0": state}
    assert _authenticate(block, action, _request("/", session)).status == 302
    provider.claims = {}
    assert _come_back(block, action, f"code=good&state={state}", cookies).status == 561
    provider.claims = {"sub": "x" * 12000}
    assert _come_back(block, action, f"code=good&state={state}", cookies).status == 401
    block.clock.time += 901
    assert _come_back(block, action, f"code=good&state={state}", cookies).status == 401


def _validate(block: Any, provider: Provider, token: str, *claims: dict[str, Any]) -> int:
    config = {"Issuer": "me", "JwksEndpoint": f"{provider.url}/keys", "AdditionalClaims": list(claims)}
    request = Request("GET", "/", [("authorization", token)], b"")
    action = {"Type": "jwt-validation", "JwtValidationConfig": config}
    return _run(lambda: token_validation.validate(block, action, request)).status


def test_bearer_tokens(block: Any, provider: Provider) -> None:
    now = int(block.clock.now())

    def sign(key: Any = _RSA, **claims: Any) -> str:
        content = {"iss": "me", "exp": now + 60, "scope": "read write", **claims}
        given = {name: value for name, value in content.items() if value is not None}
        return "Bearer " + jwt.encode(given, key, algorithm="RS256", headers={"kid": "1"})

    assert _validate(block, provider, sign()) == 200
    assert _validate(block, provider, "") == 401
    assert _validate(block, provider, "Bearer x.y.z") == 401
    assert _validate(block, provider, sign(iss="you")) == 401
    assert _validate(block, provider, sign(exp=now - 61)) == 401
    assert _validate(block, provider, sign(exp=None)) == 401
    assert _validate(block, provider, sign(nbf=now + 61)) == 401
    assert _validate(block, provider, sign(rsa.generate_private_key(65537, 2048))) == 401
    scope = {"Name": "scope", "Format": "space-separated-values", "Values": ["write"]}
    assert _validate(block, provider, sign(), scope) == 200
    assert _validate(block, provider, sign(scope="read"), scope) == 403
    provider.server.shutdown()
    provider.server.server_close()
    block.attached.clear()
    assert _validate(block, provider, sign()) == 500
