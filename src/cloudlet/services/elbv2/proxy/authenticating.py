"""Routes whose users are authenticated first: Envoy asks the block for each request (`authentication`)."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Final

from cloudlet.engines.envoy.resource_parts import make_extension
from cloudlet.engines.envoy.snapshot import Resource
from cloudlet.services.elbv2.proxy import names
from cloudlet.services.elbv2.proxy.conditions import match_regex
from cloudlet.services.elbv2.proxy.resources import make_header, make_route_filter
from cloudlet.services.elbv2.proxy.view import Description, Listener

_FILTER: Final = "envoy.extensions.filters.http.ext_authz.v3.ExtAuthz"
_NAME: Final = "authenticate"
PREFIX: Final = "/_authenticate/"
"""The beginning of paths at which Envoy asks. The action's key and the request's path follow."""
CALLBACK: Final = "/oauth2/idpresponse"
"""The path to which identity providers send users back."""
_TYPES: Final = ("authenticate-oidc", "authenticate-cognito", "jwt-validation")
_ASKED: Final = ("authorization", "cookie", "x-forwarded-proto", "x-amzn-trace-id", names.ADDRESS)
_TOLD_TARGETS: Final = ("x-amzn-oidc-accesstoken", "x-amzn-oidc-identity", "x-amzn-oidc-data")
_TOLD_CLIENTS: Final = ("location", "set-cookie", "content-type", "www-authenticate", "cache-control", "server")
_TIMEOUT: Final = "15s"


def make_filter() -> Resource:
    """Return the filter; routes that authenticate users have it."""
    made = make_extension(
        _NAME,
        _FILTER,
        transport_api_version="V3",
        http_service=_make_service(PREFIX),
        allowed_headers={"patterns": [{"exact": name} for name in _ASKED]},
        status_on_error={"code": "InternalServerError"},
    )
    return {**made, "disabled": True}


def _make_service(prefix: str) -> Resource:
    return {
        "server_uri": {"uri": "http://cloudlet", "cluster": names.BLOCK, "timeout": _TIMEOUT},
        "path_prefix": prefix,
        "authorization_response": {
            "allowed_upstream_headers": {"patterns": [{"exact": name} for name in _TOLD_TARGETS]},
            "allowed_client_headers": {"patterns": [{"exact": name} for name in _TOLD_CLIENTS]},
            "allowed_client_headers_on_success": {"patterns": [{"exact": "set-cookie"}]},
        },
    }


def find_action(actions: Sequence[Description]) -> Description | None:
    """Return the action that authenticates users, if there is one."""
    return next((each for each in actions if each["Type"] in _TYPES), None)


def make_key(holder: str) -> str:
    """Return the key of the action of a rule or listener by its ARN."""
    return sha256(holder.encode()).hexdigest()[:32]


def make_route_filters(holder: str, actions: Sequence[Description]) -> Resource:
    """Return what a route of a rule or listener has of this filter."""
    if find_action(actions) is None:
        return {}
    service = _make_service(f"{PREFIX}{make_key(holder)}")
    return {_NAME: make_route_filter(f"{_FILTER}PerRoute", check_settings={"http_service": service})}


def list_actions(listener: Listener) -> dict[str, Description]:
    """Return the actions of a listener that authenticate users, by their keys."""
    holders = {listener.arn: listener.description["DefaultActions"]}
    holders |= {rule["RuleArn"]: rule["Actions"] for rule in listener.rules}
    found = {make_key(holder): find_action(actions) for holder, actions in holders.items()}
    return {key: action for key, action in found.items() if action is not None}


def make_callback(listener: Listener) -> list[Resource]:
    """Return the matcher for users who come back, if the listener needs one."""
    if all(action["Type"] != "authenticate-oidc" for action in list_actions(listener).values()):
        return []
    route = {
        "match": {"prefix": "/"},
        "route": {"cluster": names.BLOCK, "timeout": "0s"},
        "metadata": {
            "filter_metadata": {names.METADATA: {"rule": "0", "actions": "authenticate", names.EVALUATED: "0"}}
        },
        "request_headers_to_add": [make_header(names.RULE, listener.arn)],
        "request_headers_to_remove": [names.TARGET_GROUP],
    }
    action = {"action": make_extension("route", "envoy.config.route.v3.Route", **route)}
    return [{"predicate": match_regex(":path", rf"{CALLBACK}(?:\?.*)?"), "on_match": action}]


def list_forgeable_headers(listener: Listener) -> Sequence[str]:
    """Return the headers that only authenticated requests may have."""
    return _TOLD_TARGETS if list_actions(listener) else ()
