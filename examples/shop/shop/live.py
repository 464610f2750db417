"""The shop's public WebSocket API, over which browsers hear what becomes of orders. They have nothing to say there."""

from __future__ import annotations

from typing import Any

from shop import api, function

NAME = "shop-live"

_STAGE = "live"


def create(gateway: Any) -> dict[str, Any]:
    """Create the API, if it is not there already, and return its description."""
    return api.create(gateway, NAME, ProtocolType="WEBSOCKET", RouteSelectionExpression="$request.body.action")


def open_to_browsers(gateway: Any, functions: Any, account: str, id: str, function_arn: str) -> None:
    """Have a function asked whether a browser may connect, and told when one has gone."""
    function.admit(functions, function_arn, "apigateway.amazonaws.com", api.arn(gateway, account, id))
    for key in ("$connect", "$disconnect"):
        api.route(gateway, id, key, function_arn, "1.0")
    api.publish(gateway, id, _STAGE)


def url(described: dict[str, Any]) -> str:
    """Return the URL that browsers connect to."""
    return f"{described['ApiEndpoint']}/{_STAGE}"


def connections_url(described: dict[str, Any]) -> str:
    """Return the URL by which the shop speaks to browsers that are connected."""
    return url(described).replace("ws", "http", 1)
