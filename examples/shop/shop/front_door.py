"""The shop's public HTTP API: customers who have a token, signed by the shop's identity provider, may order."""

from __future__ import annotations

from typing import Any

from shop import api, function

NAME = "shop"
AUDIENCE = "shop"
"""Whom tokens are for."""

ROUTES = {"PUT /orders/{order}": "checkout", "GET /orders": "history", "POST /tickets": "tickets"}
"""Which function answers what."""

_AUTHORIZER = "customers"
_STAGE = "$default"


def create(gateway: Any, functions: Any, account: str, arns: dict[str, str], issuer: str) -> str:
    """Create the API, if it is not there already, and return its URL.

    `issuer` is the URL of the identity provider; API Gateway reads there which keys it signs with.
    """
    described = api.create(gateway, NAME, ProtocolType="HTTP")
    id = described["ApiId"]
    authorizer = _trust(gateway, id, issuer)
    for key, called in ROUTES.items():
        api.route(gateway, id, key, arns[called], "2.0", AuthorizationType="JWT", AuthorizerId=authorizer)
        function.admit(functions, arns[called], "apigateway.amazonaws.com", api.arn(gateway, account, id))
    api.publish(gateway, id, _STAGE)
    return str(described["ApiEndpoint"])


def _trust(gateway: Any, id: str, issuer: str) -> str:
    """Have who comes with a token of the issuer let in; return the id of the authorizer."""
    settings = {
        "ApiId": id,
        "IdentitySource": ["$request.header.Authorization"],
        "JwtConfiguration": {"Issuer": issuer, "Audience": [AUDIENCE]},
    }
    for each in gateway.get_authorizers(ApiId=id)["Items"]:
        if each["Name"] == _AUTHORIZER:
            gateway.update_authorizer(AuthorizerId=each["AuthorizerId"], **settings)
            return str(each["AuthorizerId"])
    return str(gateway.create_authorizer(AuthorizerType="JWT", Name=_AUTHORIZER, **settings)["AuthorizerId"])
