"""The health checks of target groups, with their defaults (user guides, "Health checks")."""

from __future__ import annotations

import re
from typing import Any, Final

from msgspec.structs import replace

from cloudlet.core import Params
from cloudlet.services.elbv2 import protocols
from cloudlet.services.elbv2.errors import InvalidConfiguration, ValidationError
from cloudlet.services.elbv2.group_record import HealthCheck, TargetGroup

TRAFFIC_PORT: Final = "traffic-port"
_FUNCTION: Final = "lambda"
_GRPC_PATH: Final = "/AWS.ALB/healthcheck"
"""The default, and all codes: health checks do not see which one it is."""


def make(params: Params, type_name: str, protocol: str, version: str) -> HealthCheck:
    """Return the health check of a new target group. Raises AwsError."""
    default_protocol = "HTTP" if protocol in protocols.WEB or type_name == "alb" else "TCP"
    checked_by = "" if type_name == _FUNCTION else params.get("HealthCheckProtocol", default_protocol)
    is_function = type_name == _FUNCTION
    if is_function:
        timeout = 30
    elif protocol in protocols.WEB:
        timeout = 5
    else:
        timeout = 6 if checked_by == "HTTP" else 10
    defaults = HealthCheck(
        is_enabled=not is_function,
        protocol=checked_by,
        port="" if is_function else TRAFFIC_PORT,
        interval=35 if is_function else 30,
        timeout=timeout,
        healthy=5,
        unhealthy=5 if is_function else 2,
    )
    return _apply(params, _fill_web(defaults, protocol, version), type_name, protocol, version)


def change(params: Params, group: TargetGroup) -> HealthCheck:
    """Return the health check of a target group as a request changes it. Raises AwsError."""
    check = group.check
    wanted = params.get("HealthCheckProtocol", check.protocol)
    if wanted != check.protocol and group.type != _FUNCTION:
        check = replace(check, protocol=wanted)
        if wanted == "TCP":
            check = replace(check, path="", codes="")
        elif not check.path:
            check = _fill_web(check, group.protocol, group.version)
    return _apply(params, check, group.type, group.protocol, group.version)


def _fill_web(check: HealthCheck, protocol: str, version: str) -> HealthCheck:
    """Return a check with the path and the codes that it has by default."""
    if check.protocol == "TCP":
        return check
    if version == "GRPC":
        return replace(check, path=_GRPC_PATH, codes="12")
    return replace(check, path="/", codes="200" if protocol in (*protocols.WEB, "") else "200-399")


def _apply(params: Params, check: HealthCheck, type_name: str, protocol: str, version: str) -> HealthCheck:
    """Return a check with what a request gives. Raises AwsError."""
    if type_name == _FUNCTION:
        for member in ("HealthCheckProtocol", "HealthCheckPort"):
            if params.get(member):
                raise ValidationError(f"{member} cannot be specified for target groups with target type 'lambda'")
    elif params.get("HealthCheckEnabled") is False:
        text = f"Health check enabled must be true for target groups with target type '{type_name}'"
        raise ValidationError(text)
    else:
        _check_protocol(check.protocol, type_name, protocol)
    port = params.get("HealthCheckPort", check.port)
    is_number = port.isascii() and port.isdigit() and 1 <= int(port) <= 65535
    if type_name != _FUNCTION and port != TRAFFIC_PORT and not is_number:
        text = f"Health check port '{port}' must be 'traffic-port' or between '1' and '65535' inclusive"
        raise ValidationError(text)
    check = replace(
        check,
        is_enabled=params.get("HealthCheckEnabled", check.is_enabled),
        port=port,
        interval=params.get("HealthCheckIntervalSeconds", check.interval),
        timeout=params.get("HealthCheckTimeoutSeconds", check.timeout),
        healthy=params.get("HealthyThresholdCount", check.healthy),
        unhealthy=params.get("UnhealthyThresholdCount", check.unhealthy),
        codes=_read_codes(params.get("Matcher") or {}, check, protocol, version),
    )
    path = params.get("HealthCheckPath")
    if path is not None:
        if check.protocol == "TCP":
            raise InvalidConfiguration("Health check paths are not supported for TCP health checks")
        if re.fullmatch(r"/[!-~]*", path) is None:
            text = f"Health check path '{path}' must begin with a '/' character, and have no blanks"
            raise ValidationError(text)
        check = replace(check, path=path)
    if check.interval <= check.timeout:
        raise ValidationError("Health check interval must be greater than the timeout.")
    return check


def _check_protocol(checked_by: str, type_name: str, protocol: str) -> None:
    protocols.check_supported(checked_by)
    is_web = protocol in protocols.WEB or type_name == "alb"
    allowed = protocols.WEB if is_web else protocols.HEALTH_CHECKS
    if checked_by not in allowed:
        raise ValidationError(f"Health check protocol '{checked_by}' must be one of '{', '.join(allowed)}'")


def _read_codes(given: dict[str, Any], check: HealthCheck, protocol: str, version: str) -> str:
    """Return the codes of healthy targets. Raises AwsError."""
    http, grpc = given.get("HttpCode"), given.get("GrpcCode")
    if not http and not grpc:
        return check.codes
    if check.protocol == "TCP":
        raise InvalidConfiguration("Health check matchers are not supported for TCP health checks")
    if http and grpc:
        raise ValidationError("You cannot specify both HttpCode and GrpcCode in a health check matcher")
    if bool(grpc) != (version == "GRPC"):
        wanted = "GrpcCode" if version == "GRPC" else "HttpCode"
        raise ValidationError(f"A health check matcher of this target group must have '{wanted}'")
    low, high = (0, 99) if grpc else (200, 499 if protocol in (*protocols.WEB, "") else 599)
    codes = str(grpc or http)
    if not _is_code_list(codes, low, high):
        noun = "gRPC" if grpc else "HTTP"
        raise ValidationError(
            f"Health check matcher {noun} code '{codes}' must be within '{low}' and '{high}' inclusive"
        )
    return codes


def _is_code_list(codes: str, low: int, high: int) -> bool:
    """Whether a text is of codes and ranges of them, with commas between them."""
    for part in codes.split(","):
        found = re.fullmatch(r"\s*(\d{1,3})(?:-(\d{1,3}))?\s*", part, re.ASCII)
        if found is None:
            return False
        first, last = int(found[1]), int(found[2] or found[1])
        if not low <= first <= last <= high:
            return False
    return True


def to_api(check: HealthCheck, version: str) -> dict[str, Any]:
    """Return a health check as the API has it."""
    shown: dict[str, Any] = {
        "HealthCheckEnabled": check.is_enabled,
        "HealthCheckIntervalSeconds": check.interval,
        "HealthCheckTimeoutSeconds": check.timeout,
        "HealthyThresholdCount": check.healthy,
        "UnhealthyThresholdCount": check.unhealthy,
    }
    if check.protocol:
        shown |= {"HealthCheckProtocol": check.protocol, "HealthCheckPort": check.port}
    if check.path:
        shown |= {
            "HealthCheckPath": check.path,
            "Matcher": {"GrpcCode" if version == "GRPC" else "HttpCode": check.codes},
        }
    return shown
