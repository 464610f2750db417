"""The actions of listeners and rules: what AWS admits (API Reference, Action)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from cloudlet.core.aws.urls import split_url
from cloudlet.services.elbv2 import limits
from cloudlet.services.elbv2.errors import (
    InvalidAction,
    InvalidConfiguration,
    QuotaExcess,
    UnsupportedFeature,
    ValidationError,
)

_CONFIGS: Final = {
    "forward": "ForwardConfig",
    "redirect": "RedirectConfig",
    "fixed-response": "FixedResponseConfig",
    "authenticate-oidc": "AuthenticateOidcConfig",
    "authenticate-cognito": "AuthenticateCognitoConfig",
    "jwt-validation": "JwtValidationConfig",
}
_FINAL: Final = ("forward", "redirect", "fixed-response")
_SECURE_ONLY: Final = ("authenticate-oidc", "authenticate-cognito", "jwt-validation")
_WEEK_SECONDS: Final = 604800
_KEYWORDS: Final = ("protocol", "host", "port", "path", "query")
_CONTENT_TYPES: Final = ("text/plain", "text/css", "text/html", "application/javascript", "application/json")
_UNCLAIMED: Final = ("exp", "iss", "nbf", "iat")

USES_EXISTING: Final = "UseExistingClientSecret"
"""The member that says that the secret of before is kept."""


class Actions(NamedTuple):
    """Actions as they are kept, and the client secret that one of them has."""

    actions: tuple[dict[str, Any], ...]
    secret: str = ""
    keeps_secret: bool = False


def parse(given: Sequence[Mapping[str, Any]], protocol: str) -> Actions:
    """Return actions of a listener of a protocol, or of a rule of it. Raises AwsError."""
    if not given:
        raise ValidationError("An action must be specified")
    if len(given) > limits.MAX_ACTIONS:
        text = f"A rule can only have '{limits.MAX_ACTIONS}' actions, but '{len(given)}' were specified"
        raise QuotaExcess("TooManyActionsException", text)
    orders = [each.get("Order") for each in given]
    if len(given) > 1 and (None in orders or len(set(orders)) < len(orders)):
        raise InvalidAction("You must specify a unique order for each action when specifying multiple actions")
    ordered = sorted(given, key=lambda each: each.get("Order") or 0)
    types = [each["Type"] for each in ordered]
    if protocol not in ("HTTP", "HTTPS") and types != ["forward"]:
        raise InvalidAction(f"A listener with protocol '{protocol}' can only have one action of type 'forward'")
    if [each in _FINAL for each in types].count(True) != 1 or types[-1] not in _FINAL:
        listed = "', '".join(_FINAL)
        raise InvalidAction(f"The last action must be of one of the following types, which can occur once: '{listed}'")
    if "authenticate-cognito" in types:
        raise UnsupportedFeature("the action 'authenticate-cognito': there is no Amazon Cognito")
    if sum(each in _SECURE_ONLY for each in types) > 1:
        raise InvalidAction(f"A rule can only have one action of the types '{', '.join(_SECURE_ONLY)}'")
    for each in types:
        if each in _SECURE_ONLY and protocol != "HTTPS":
            raise InvalidAction(f"Actions of type '{each}' are supported only on HTTPS listeners")
    secret, keeps_secret, parsed = "", False, []
    for each in ordered:
        action = _parse_action(each, protocol)
        config = action.get("AuthenticateOidcConfig")
        if config is not None:
            secret, keeps_secret = config.pop("ClientSecret", ""), config.pop(USES_EXISTING, False)
        parsed.append(action)
    return Actions(tuple(parsed), secret, keeps_secret)


def _parse_action(given: Mapping[str, Any], protocol: str) -> dict[str, Any]:
    type_name = given["Type"]
    for other, member in _CONFIGS.items():
        if member in given and other != type_name:
            raise InvalidAction(
                f"For actions of type '{type_name}', you cannot specify the following fields: '{member}'"
            )
    if "TargetGroupArn" in given and type_name != "forward":
        text = f"For actions of type '{type_name}', you cannot specify the following fields: 'TargetGroupArn'"
        raise InvalidAction(text)
    member = _CONFIGS[type_name]
    if member not in given and not (type_name == "forward" and "TargetGroupArn" in given):
        raise InvalidAction(f"For actions of type '{type_name}', you must specify the following fields: '{member}'")
    action: dict[str, Any] = {"Type": type_name}
    if "Order" in given:
        action["Order"] = given["Order"]
    if type_name == "forward":
        return {**action, **_parse_forward(given, protocol)}
    return {**action, member: _PARSERS[type_name](given[member])}


def _parse_forward(given: Mapping[str, Any], protocol: str) -> dict[str, Any]:
    config = given.get("ForwardConfig") or {}
    groups = config.get("TargetGroups") or []
    arn = given.get("TargetGroupArn")
    if arn is not None:
        if groups and [each.get("TargetGroupArn") for each in groups] != [arn]:
            text = "You can specify only one target group using ForwardConfig, the one specified in TargetGroupArn"
            raise InvalidAction(text)
        groups = groups or [{"TargetGroupArn": arn}]
    if not groups:
        raise InvalidAction("You must specify at least one target group for actions of type 'forward'")
    if len(groups) > limits.MAX_ACTION_TARGET_GROUPS:
        text = f"A forward action can only have '{limits.MAX_ACTION_TARGET_GROUPS}' target groups"
        raise QuotaExcess("TooManyUniqueTargetGroupsPerLoadBalancerException", text)
    found = [
        {"TargetGroupArn": each.get("TargetGroupArn", ""), "Weight": int(each.get("Weight", 1))} for each in groups
    ]
    names = [each["TargetGroupArn"] for each in found]
    if len(set(names)) < len(names):
        raise InvalidAction("A target group can occur only once in an action of type 'forward'")
    if any(not 0 <= each["Weight"] <= 999 for each in found):
        raise InvalidAction("The weight of a target group must be between '0' and '999' inclusive")
    if protocol not in ("HTTP", "HTTPS") and not any(each["Weight"] for each in found):
        raise InvalidAction("At least one target group must have a weight greater than '0'")
    stickiness = config.get("TargetGroupStickinessConfig") or {}
    shown: dict[str, Any] = {"Enabled": bool(stickiness.get("Enabled"))}
    seconds = stickiness.get("DurationSeconds")
    if seconds is not None:
        if protocol not in ("HTTP", "HTTPS"):
            raise InvalidAction("DurationSeconds is supported only for Application Load Balancers")
        if not 1 <= seconds <= _WEEK_SECONDS:
            text = f"Target group stickiness duration must be between '1' and '{_WEEK_SECONDS}' seconds inclusive"
            raise InvalidAction(text)
        shown["DurationSeconds"] = seconds
    elif shown["Enabled"] and protocol in ("HTTP", "HTTPS"):
        raise InvalidAction("You must specify a duration when target group stickiness is enabled")
    action = {"ForwardConfig": {"TargetGroups": found, "TargetGroupStickinessConfig": shown}}
    return {"TargetGroupArn": names[0], **action} if len(names) == 1 else action


def _check_keywords(member: str, value: str, allowed: Sequence[str]) -> None:
    for keyword in re.findall(r"#\{([^}]*)\}", value):
        if keyword not in allowed:
            raise InvalidAction(f"The keyword '#{{{keyword}}}' is not supported in {member} of a redirect action")


def _parse_redirect(given: Mapping[str, Any]) -> dict[str, Any]:
    config = {
        "Protocol": given.get("Protocol", "#{protocol}"),
        "Port": given.get("Port", "#{port}"),
        "Host": given.get("Host", "#{host}"),
        "Path": given.get("Path", "/#{path}"),
        "Query": given.get("Query", "#{query}"),
        "StatusCode": given["StatusCode"],
    }
    port = config["Port"]
    if port != "#{port}" and not (port.isascii() and port.isdigit() and 1 <= int(port) <= 65535):
        raise InvalidAction("The Redirect port must be between '1' and '65535' inclusive, or '#{port}'")
    if not config["Path"].startswith("/"):
        raise InvalidAction("The Redirect path must start with '/'")
    for member, value in config.items():
        if any(character < " " or character == "\x7f" for character in value):
            raise InvalidAction(f"The Redirect {member.lower()} contains a character that is not valid")
    _check_keywords("Host", config["Host"], ("host",))
    _check_keywords("Path", config["Path"], ("host", "path", "port"))
    _check_keywords("Query", config["Query"], _KEYWORDS)
    plain = ("#{protocol}", "#{port}", "#{host}", "/#{path}", "#{query}")
    if tuple(config[each] for each in ("Protocol", "Port", "Host", "Path", "Query")) == plain:
        raise InvalidConfiguration(
            "The Redirect configuration must not be a loop: you must modify at least one of the following "
            "components: protocol, port, hostname or path"
        )
    return config


def _parse_fixed_response(given: Mapping[str, Any]) -> dict[str, Any]:
    content_type = given.get("ContentType")
    if content_type is not None and content_type not in _CONTENT_TYPES:
        listed = ", ".join(_CONTENT_TYPES)
        raise InvalidAction(f"The fixed response content type '{content_type}' must be one of '{listed}'")
    return {member: given[member] for member in ("MessageBody", "StatusCode", "ContentType") if member in given}


def _check_url(member: str, value: str, longest: int = 256) -> str:
    parts = split_url(value)
    if parts.scheme != "https" or not parts.netloc or len(value) > longest:
        raise InvalidAction(f"The {member} '{value}' must be a full URL, including the HTTPS protocol, and the domain")
    return value


def _parse_session(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the members about the session of a user."""
    seconds = int(given.get("SessionTimeout", _WEEK_SECONDS))
    if not 1 <= seconds <= _WEEK_SECONDS:
        raise InvalidAction(f"The session timeout must be between '1' and '{_WEEK_SECONDS}' seconds inclusive")
    extra = given.get("AuthenticationRequestExtraParams") or {}
    if len(extra) > 10:
        raise InvalidAction("Up to '10' authentication request extra params can be specified")
    cookie = given.get("SessionCookieName", "AWSELBAuthSessionCookie")
    if re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}", cookie) is None:
        raise InvalidAction(f"The session cookie name '{cookie}' is not valid")
    session = {
        "SessionCookieName": cookie,
        "Scope": given.get("Scope", "openid"),
        "SessionTimeout": seconds,
        "OnUnauthenticatedRequest": given.get("OnUnauthenticatedRequest", "authenticate"),
    }
    return {**session, "AuthenticationRequestExtraParams": dict(extra)} if extra else session


def _parse_oidc(given: Mapping[str, Any]) -> dict[str, Any]:
    if bool(given.get("ClientSecret")) == bool(given.get(USES_EXISTING)):
        raise InvalidAction("You must specify either ClientSecret or UseExistingClientSecret")
    config = {
        **{
            member: _check_url(member, given[member])
            for member in ("Issuer", "AuthorizationEndpoint", "TokenEndpoint", "UserInfoEndpoint")
        },
        "ClientId": given["ClientId"],
        **_parse_session(given),
    }
    for member in ("ClientSecret", USES_EXISTING):
        if given.get(member):
            config[member] = given[member]
    return config


def _parse_jwt(given: Mapping[str, Any]) -> dict[str, Any]:
    issuer = given["Issuer"]
    if not 1 <= len(issuer) <= 256:
        raise InvalidAction("The issuer must be at most '256' characters long")
    config: dict[str, Any] = {
        "JwksEndpoint": _check_url("JwksEndpoint", given["JwksEndpoint"]),
        "Issuer": issuer,
    }
    claims = given.get("AdditionalClaims") or []
    if len(claims) > 10:
        raise InvalidAction("Up to '10' additional claims can be specified")
    for claim in claims:
        values = claim["Values"]
        if claim["Name"] in _UNCLAIMED:
            raise InvalidAction(f"The claim '{claim['Name']}' is validated by default and cannot be specified")
        if not 1 <= len(values) <= 10 or any(len(value) > 256 for value in values):
            raise InvalidAction("A claim must have between '1' and '10' values of at most '256' characters")
        if claim["Format"] == "single-string" and len(values) != 1:
            raise InvalidAction("A claim of format 'single-string' must have exactly one value")
        if claim["Format"] == "space-separated-values" and any(" " in value for value in values):
            raise InvalidAction("The values of a claim of format 'space-separated-values' cannot include spaces")
    return {**config, "AdditionalClaims": claims} if claims else config


_PARSERS: Final[dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]]] = {
    "redirect": _parse_redirect,
    "fixed-response": _parse_fixed_response,
    "authenticate-oidc": _parse_oidc,
    "jwt-validation": _parse_jwt,
}
