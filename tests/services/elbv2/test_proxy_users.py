"""Rules that authenticate users: what a real Envoy asks the block, and does with its answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from cloudlet.services.elbv2.proxy.authenticating import make_key
from cloudlet.services.elbv2.proxy.block_server import BlockServer, Request, Response
from tests.services.elbv2.envoys import (
    Envoy,
    Web,
    answer,
    ask,
    forward,
    make_group,
    make_listener,
    make_rule,
    make_view,
)

_OIDC = {"Type": "authenticate-oidc", "Order": 1, "AuthenticateOidcConfig": {"Issuer": "https://idp.example.com"}}
_JWT = {"Type": "jwt-validation", "Order": 1, "JwtValidationConfig": {"Issuer": "https://idp.example.com"}}


class _Block:
    """A block that answers what a test says."""

    def __init__(self) -> None:
        self.asked: list[Request] = []
        self.response = Response(200)

    async def answer(self, request: Request) -> Response:
        self.asked.append(request)
        return self.response


@pytest.fixture
def block(envoy: Envoy) -> Iterator[_Block]:
    made = _Block()
    close = envoy.listen(BlockServer(made.answer))
    yield made
    close()


def _serve(envoy: Envoy, web: Web, check: dict[str, Any]) -> tuple[int, str]:
    """Return the port of a listener of which a rule checks users, and the key of that."""
    group = make_group("web", web)
    condition = {"Field": "path-pattern", "Values": ["/app*"]}
    rule = make_rule(1, [condition], check, {**forward(group), "Order": 2})
    listener = make_listener(answer(418), rules=[rule])
    envoy.apply(make_view(listener, groups=(group,)))
    return listener.description["Port"], make_key(rule["RuleArn"])


@pytest.mark.parametrize("check", [_OIDC, _JWT])
def test_a_request_passes_with_what_the_block_tells(
    envoy: Envoy, web: Web, block: _Block, check: dict[str, Any]
) -> None:
    port, key = _serve(envoy, web, check)
    block.response = Response(200, [("x-amzn-oidc-identity", "user"), ("x-other", "1")])
    seen = ask(port, "/app?a=b", X_Amzn_Oidc_Data="forged", Cookie="c=d", Authorization="Bearer e").seen
    assert seen["path"] == "/app?a=b"
    assert seen["headers"]["x-amzn-oidc-identity"] == "user"
    assert "x-amzn-oidc-data" not in seen["headers"]
    assert "x-other" not in seen["headers"]
    request = block.asked[0]
    assert request.target == f"/_authenticate/{key}/app?a=b"
    assert (request.get("cookie"), request.get("authorization")) == ("c=d", "Bearer e")
    assert ask(port, "/else").status == 418
    assert len(block.asked) == 1


def test_a_request_is_answered_by_the_block(envoy: Envoy, web: Web, block: _Block) -> None:
    port, _ = _serve(envoy, web, _OIDC)
    headers = [("location", "https://idp.example.com/"), ("set-cookie", "a=1"), ("set-cookie", "b=2")]
    block.response = Response(302, headers)
    before = len(web.asked)
    answered = ask(port, "/app")
    assert (answered.status, answered.get("location")) == (302, "https://idp.example.com/")
    assert answered.list("set-cookie") == ["a=1", "b=2"]
    block.response = Response(401, [("content-type", "text/html")], b"no")
    assert ask(port, "/app").body == b"no"
    assert len(web.asked) == before


def test_users_come_back_to_the_block(envoy: Envoy, web: Web, block: _Block) -> None:
    port, _ = _serve(envoy, web, _OIDC)
    block.response = Response(302, [("location", "/app")])
    assert ask(port, "/oauth2/idpresponse?code=1&state=2", X_Cloudlet_Target_Group="forged").status == 302
    request = block.asked[0]
    assert request.target == "/oauth2/idpresponse?code=1&state=2"
    assert request.get("x-cloudlet-rule").endswith(f"{port:016x}")
    assert request.get("x-cloudlet-target-group") == ""


def test_nothing_passes_while_the_block_is_gone(envoy: Envoy, web: Web) -> None:
    port, _ = _serve(envoy, web, _JWT)
    assert ask(port, "/app").status == 500
