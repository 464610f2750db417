"""Users whom load balancers authenticate: what is refused, and why. Whole logins are in `test_logins`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from cloudlet.core.kernel.tokens import TokenSealer
from cloudlet.core.kernel.vault import Vault
from cloudlet.services.elbv2.proxy import authentication, token_validation, user_claims
from cloudlet.services.elbv2.proxy.block_server import Request, Response
from tests.services.elbv2.provider import Provider

_BALANCER = "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/x/1"
_KEY = "key"
_TIME = 1_900_000_000.0


@pytest.fixture
def provider() -> Iterator[Provider]:
    made = Provider(_TIME)
    yield made
    made.close()


class Clock:
    def __init__(self) -> None:
        self.time = _TIME

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


def _request(target: str = "/", cookies: dict[str, str] | None = None) -> Request:
    sent = "; ".join(f"{name}={value}" for name, value in (cookies or {}).items())
    return Request("GET", target, [("host", "app.example.com"), ("cookie", sent)], b"")


def _read_cookies(response: Response) -> dict[str, str]:
    pairs = [value.partition(";")[0].partition("=") for name, value in response.headers if name == "set-cookie"]
    return {name: value for name, _, value in pairs}


def _get(response: Response, name: str) -> str:
    return next(value for known, value in response.headers if known == name)


def _authenticate(block: Any, action: dict[str, Any], request: Request, port: int = 443) -> Response:
    return _run(lambda: authentication.authenticate(block, _BALANCER, _KEY, action, request, port))


def _come_back(block: Any, action: dict[str, Any], query: str, cookies: dict[str, str]) -> Response:
    # Each of them runs in an event loop of its own.
    block.attached.clear()
    request = _request(f"/oauth2/idpresponse?{query}", cookies)
    return _run(lambda: authentication.take_callback(block, _BALANCER, {_KEY: action}, request))


def test_what_a_target_is_told(block: Any, provider: Provider) -> None:
    action = provider.make_action(Scope="openid email", AuthenticationRequestExtraParams={"prompt": "login"})
    sent = _authenticate(block, action, _request("/private?a=b"), 8443)
    query = {name: values[0] for name, values in parse_qs(urlsplit(_get(sent, "location")).query).items()}
    assert (query["client_id"], query["scope"], query["response_type"]) == ("client", "openid email", "code")
    # It is where the client reaches the load balancer.
    assert query["redirect_uri"] == "https://app.example.com:8443/oauth2/idpresponse"
    assert query["prompt"] == "login"
    back = _come_back(block, action, f"code=code-1&state={query['state']}", _read_cookies(sent))
    assert _get(back, "location") == "https://app.example.com:8443/private?a=b"
    assert provider.forms[0]["redirect_uri"] == query["redirect_uri"]
    passed = _authenticate(block, action, _request("/private", _read_cookies(back)))
    data = _get(passed, "x-amzn-oidc-data")
    head = jwt.get_unverified_header(data)
    assert (head["signer"], head["client"], head["iss"]) == (_BALANCER, "client", provider.url)
    claims = jwt.decode(data, user_claims.show_public_key(block), ["ES256"], options={"verify_exp": False})
    assert claims["email"] == "user@example.com"
    # AWS pads the parts, unlike the standard.
    assert all(len(part) % 4 == 0 for part in data.split("."))


def test_large_sessions_are_in_several_cookies(block: Any, provider: Provider) -> None:
    provider.claims["groups"] = "x" * 10000
    action = provider.make_action()
    back = _log_in(block, provider, action)
    cookies = {name: value for name, value in _read_cookies(back).items() if value}
    assert len(cookies) == 4
    assert all(len(value) < 4096 for value in cookies.values())
    assert _authenticate(block, action, _request("/", cookies)).status == 200
    del cookies["AWSELBAuthSessionCookie-1"]
    assert _authenticate(block, action, _request("/", cookies)).status == 302


def _log_in(block: Any, provider: Provider, action: dict[str, Any], code: str = "code-1") -> Response:
    block.attached.clear()
    sent = _authenticate(block, action, _request())
    state = parse_qs(urlsplit(_get(sent, "location")).query)["state"][0]
    return _come_back(block, action, f"code={code}&state={state}", _read_cookies(sent))


def test_what_a_user_may_not_come_back_with(block: Any, provider: Provider) -> None:
    action = provider.make_action()
    sent = _authenticate(block, action, _request())
    state = parse_qs(urlsplit(_get(sent, "location")).query)["state"][0]
    cookies = _read_cookies(sent)

    def come_back(query: str, cookies: dict[str, str] = cookies) -> tuple[int, str]:
        answered = _come_back(block, action, query, cookies)
        return answered.status, answered.error

    assert come_back("code=code-1") == (401, "AuthMissingStateParam")
    assert come_back(f"code=code-1&state={state}x") == (401, "AuthInvalidStateParam")
    assert come_back(f"state={state}") == (401, "AuthMissingCodeParam")
    assert come_back(f"code=code-1&state={state}", {}) == (401, "AuthMissingAWSALBAuthNonce")
    assert come_back(f"code=code-1&state={state}", {"AWSALBAuthNonce": "x"}) == (401, "AuthInvalidAWSALBAuthNonce")
    assert come_back(f"code=bad&state={state}") == (561, "AuthInvalidGrantError")
    assert come_back(f"error=access_denied&state={state}") == (401, "")
    assert come_back(f"error=server_error&state={state}") == (561, "")
    session = {"AWSELBAuthSessionCookie-0": state}
    assert _authenticate(block, action, _request("/", session)).status == 302
    block.clock.time += 901
    assert come_back(f"code=code-1&state={state}") == (401, "AuthInvalidStateParam")


def test_what_a_provider_may_not_answer(block: Any, provider: Provider) -> None:
    action = provider.make_action()

    def log_in() -> tuple[int, str]:
        answered = _log_in(block, provider, action)
        return answered.status, answered.error

    for wrong in ({"iss": "https://example.com"}, {"aud": "other"}, {"exp": _TIME - 100}, {"exp": None}):
        provider.id_claims = wrong
        assert log_in() == (401, "AuthInvalidIdToken")
    provider.id_claims = {"aud": ["other", "client"]}
    assert log_in() == (302, "")
    provider.claims = {"sub": "another"}
    assert log_in() == (561, "AuthInvalidUserinfoResponse")
    provider.claims = {}
    assert log_in() == (561, "AuthInvalidUserinfoResponse")
    provider.claims = {"sub": "x" * 12000}
    assert log_in() == (401, "AuthUserinfoResponseSizeExceeded")
    provider.claims = {"sub": "user-1"}
    provider.more = {"access_token": ""}
    assert log_in() == (561, "AuthInvalidTokenResponse")
    provider.more = {"access_token": "other"}
    assert log_in() == (561, "AuthUserinfoEpRequestFailed")
    action["AuthenticateOidcConfig"]["TokenEndpoint"] = f"{provider.url}/none"
    action["AuthenticateOidcConfig"]["ClientSecret"] = "other"
    assert log_in() == (561, "AuthInvalidGrantError")
    action["AuthenticateOidcConfig"]["TokenEndpoint"] = "http://127.0.0.1:1/"
    assert log_in() == (500, "AuthTokenEpRequestTimeout")


def test_bearer_tokens(block: Any, provider: Provider) -> None:
    now = int(_TIME)
    scope = {"Name": "scope", "Format": "space-separated-values", "Values": ["write"]}
    config: dict[str, Any] = {"Issuer": provider.url, "JwksEndpoint": f"{provider.url}/keys", "AdditionalClaims": []}

    def validate(authorization: str, *claims: dict[str, Any]) -> tuple[int, str]:
        block.attached.clear()
        config["AdditionalClaims"] = list(claims)
        request = Request("GET", "/", [("authorization", authorization)], b"")
        action = {"Type": "jwt-validation", "JwtValidationConfig": config}
        answered = _run(lambda: token_validation.validate(block, action, request))
        return answered.status, answered.error

    def sign(key: Any = None, **claims: Any) -> str:
        return "Bearer " + provider.sign(key, **{"scope": "read write", **claims})

    wrong = (401, "JWTClaimValueInvalid")
    assert validate(sign()) == (200, "")
    assert validate("") == (401, "JWTHeaderNotPresent")
    assert validate("Bearer x.y.z") == (401, "JWTRequestFormatInvalid")
    assert validate(sign(iss="you")) == wrong
    assert validate(sign(exp=now - 61)) == wrong
    assert validate(sign(exp=None)) == (401, "JWTClaimNotPresent")
    assert validate(sign(exp="soon")) == (401, "JWTClaimFormatInvalid")
    assert validate(sign(nbf=now + 61)) == wrong
    assert validate(sign(rsa.generate_private_key(65537, 2048))) == (401, "JWTSignatureValidationError")
    weak = jwt.encode({"iss": provider.url, "exp": now + 60}, "s" * 32, "HS256", headers={"kid": "one"})
    assert validate(f"Bearer {weak}") == (401, "JWTSignatureValidationError")
    assert validate(sign(), scope) == (200, "")
    assert validate(sign(scope="read"), scope) == (403, "JWTClaimValueInvalid")
    assert validate(sign(scope=None), scope) == (403, "JWTClaimNotPresent")
    config["JwksEndpoint"] = f"{provider.url}/info"
    assert validate(sign())[0] == 500
    config["JwksEndpoint"] = "http://127.0.0.1:1/"
    assert validate(sign())[0] == 500
