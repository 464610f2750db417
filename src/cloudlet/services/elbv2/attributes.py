"""The attributes of load balancers, listeners and target groups, with their defaults.

API Reference, LoadBalancerAttribute, ListenerAttribute and TargetGroupAttribute, without what gateway load balancers
alone have.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple

from cloudlet.services.elbv2.errors import InvalidConfiguration, UnsupportedFeature, ValidationError

Check = Callable[[str], str | None]
"""Returns what a value must be, where it is not that."""


class Attribute(NamedTuple):
    default: str
    check: Check
    unsupported: Callable[[str], bool] = lambda value: False
    """Whether AWS has a value, and Cloudlet has not."""


def _make_choice(*values: str) -> Check:
    text = "one of " + ", ".join(f"'{value}'" for value in values)
    return lambda value: None if value in values else text


def _make_range(low: int, high: int, *others: str) -> Check:
    text = f"between '{low}' and '{high}' inclusive"
    if others:
        text += ", or " + ", ".join(f"'{each}'" for each in others)

    def check(value: str) -> str | None:
        fits = value in others or (value.isascii() and value.isdigit() and low <= int(value) <= high)
        return None if fits else text

    return check


def _make_text(longest: int) -> Check:
    return lambda value: None if len(value) <= longest else f"at most {longest} characters long"


def _check_header_value(value: str) -> str | None:
    return None if re.fullmatch(r"[ -~]{0,1024}", value) else "at most 1024 printable ASCII characters"


def _check_header_name(value: str) -> str | None:
    return None if re.fullmatch(r"[A-Za-z0-9-]{0,40}", value) else "a valid HTTP header name"


def _check_cookie_name(value: str) -> str | None:
    if value.startswith("AWSALB"):
        return "a cookie name that does not begin with 'AWSALB'"
    return None if re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{0,512}", value) else "a valid cookie name"


def _check_prefix(value: str) -> str | None:
    is_right = len(value) <= 512 and "AWSLogs" not in value and not value.startswith("/") and not value.endswith("/")
    return None if is_right else "a prefix that neither begins nor ends with '/', without 'AWSLogs'"


def _is_other_than(default: str) -> Callable[[str], bool]:
    return lambda value: value != default


_BOOLEAN: Final = _make_choice("true", "false")
_OFF: Final = Attribute("false", _BOOLEAN)
_ON: Final = Attribute("true", _BOOLEAN)
_NEVER_ON: Final = Attribute("false", _BOOLEAN, _is_other_than("false"))
_ANY: Final = Attribute("", _make_text(1024))

_LOGS: Final = {"enabled": _OFF, "bucket": _ANY, "prefix": Attribute("", _check_prefix)}
_COMMON: Final = {
    "deletion_protection.enabled": _OFF,
    **{f"access_logs.s3.{part}": attribute for part, attribute in _LOGS.items()},
    "ipv6.deny_all_igw_traffic": _NEVER_ON,
    "zonal_shift.config.enabled": _NEVER_ON,
}
_LOAD_BALANCER: Final[dict[str, dict[str, Attribute]]] = {
    "application": {
        **_COMMON,
        "load_balancing.cross_zone.enabled": Attribute("true", _make_choice("true")),
        "idle_timeout.timeout_seconds": Attribute("60", _make_range(1, 4000)),
        "client_keep_alive.seconds": Attribute("3600", _make_range(60, 604800)),
        **{f"connection_logs.s3.{part}": attribute for part, attribute in _LOGS.items()},
        **{f"health_check_logs.s3.{part}": attribute for part, attribute in _LOGS.items()},
        "health_check_logs.s3.enabled": _NEVER_ON,
        "routing.http.desync_mitigation_mode": Attribute(
            "defensive", _make_choice("monitor", "defensive", "strictest"), lambda value: value == "monitor"
        ),
        "routing.http.drop_invalid_header_fields.enabled": _OFF,
        "routing.http.preserve_host_header.enabled": _OFF,
        "routing.http.x_amzn_tls_version_and_cipher_suite.enabled": _OFF,
        "routing.http.x_amzn_tls_kx.enabled": _NEVER_ON,
        "routing.http.xff_client_port.enabled": _OFF,
        "routing.http.xff_header_processing.mode": Attribute("append", _make_choice("append", "preserve", "remove")),
        "routing.http2.enabled": _ON,
        "waf.fail_open.enabled": _NEVER_ON,
    },
    "network": {
        **_COMMON,
        "load_balancing.cross_zone.enabled": _OFF,
        "dns_record.client_routing_policy": Attribute(
            "any_availability_zone",
            _make_choice("availability_zone_affinity", "partial_availability_zone_affinity", "any_availability_zone"),
            _is_other_than("any_availability_zone"),
        ),
        "secondary_ips.auto_assigned.per_subnet": Attribute("0", _make_range(0, 7), _is_other_than("0")),
    },
}

_REQUEST_HEADERS: Final = (
    "X-Amzn-Mtls-Clientcert-Serial-Number",
    "X-Amzn-Mtls-Clientcert-Issuer",
    "X-Amzn-Mtls-Clientcert-Subject",
    "X-Amzn-Mtls-Clientcert-Validity",
    "X-Amzn-Mtls-Clientcert-Leaf",
    "X-Amzn-Mtls-Clientcert",
    "X-Amzn-Tls-Version",
    "X-Amzn-Tls-Cipher-Suite",
)
_SECURE_ONLY: Final = "routing.http.request."
_RESPONSE_HEADERS: Final = {
    "strict_transport_security": _check_header_value,
    "access_control_allow_origin": _check_header_value,
    "access_control_allow_methods": _check_header_value,
    "access_control_allow_headers": _check_header_value,
    "access_control_allow_credentials": _make_choice("", "true"),
    "access_control_expose_headers": _check_header_value,
    "access_control_max_age": _make_range(0, 86400, ""),
    "content_security_policy": _check_header_value,
    "x_content_type_options": _make_choice("", "nosniff"),
    "x_frame_options": _check_header_value,
}
_LISTENER: Final[dict[str, dict[str, Attribute]]] = {
    "application": {
        **{
            f"{_SECURE_ONLY}{name.lower().replace('-', '_')}.header_name": Attribute(name, _check_header_name)
            for name in _REQUEST_HEADERS
        },
        "routing.http.response.server.enabled": _ON,
        **{
            f"routing.http.response.{name}.header_value": Attribute("", check)
            for name, check in _RESPONSE_HEADERS.items()
        },
    },
    "network": {"tcp.idle_timeout.seconds": Attribute("350", _make_range(60, 6000))},
}

_WEEK: Final = 604800
_COUNT: Final = _make_range(1, 1000)
_PERCENTAGE: Final = _make_range(1, 100, "off")
_HEALTH: Final = "target_group_health"
_TARGET_GROUP: Final = {
    "stickiness.enabled": _OFF,
    "load_balancing.cross_zone.enabled": Attribute(
        "use_load_balancer_configuration",
        _make_choice("true", "false", "use_load_balancer_configuration"),
        lambda value: value == "false",
    ),
    f"{_HEALTH}.dns_failover.minimum_healthy_targets.count": Attribute(
        "1", _make_range(1, 1000, "off"), _is_other_than("1")
    ),
    f"{_HEALTH}.dns_failover.minimum_healthy_targets.percentage": Attribute("off", _PERCENTAGE, _is_other_than("off")),
    f"{_HEALTH}.unhealthy_state_routing.minimum_healthy_targets.count": Attribute("1", _COUNT),
    f"{_HEALTH}.unhealthy_state_routing.minimum_healthy_targets.percentage": Attribute("off", _PERCENTAGE),
}
_DELAY: Final = {"deregistration_delay.timeout_seconds": Attribute("300", _make_range(0, 3600))}
_APPLICATION_GROUP: Final = {
    **_TARGET_GROUP,
    **_DELAY,
    "stickiness.type": Attribute("lb_cookie", _make_choice("lb_cookie", "app_cookie")),
    "load_balancing.algorithm.type": Attribute(
        "round_robin", _make_choice("round_robin", "least_outstanding_requests", "weighted_random")
    ),
    "load_balancing.algorithm.anomaly_mitigation": Attribute("off", _make_choice("on", "off"), _is_other_than("off")),
    "slow_start.duration_seconds": Attribute("0", _make_range(30, 900, "0")),
    "stickiness.app_cookie.cookie_name": Attribute("", _check_cookie_name),
    "stickiness.app_cookie.duration_seconds": Attribute("86400", _make_range(1, _WEEK)),
    "stickiness.lb_cookie.duration_seconds": Attribute("86400", _make_range(1, _WEEK)),
}
_LAMBDA_GROUP: Final = {**_TARGET_GROUP, "lambda.multi_value_headers.enabled": _OFF}
_NETWORK_GROUP: Final = {
    **_TARGET_GROUP,
    **_DELAY,
    "stickiness.type": Attribute("source_ip", _make_choice("source_ip")),
    "proxy_protocol_v2.enabled": _OFF,
    "target_health_state.unhealthy.draining_interval_seconds": Attribute(
        "0", _make_range(0, 360000), _is_other_than("0")
    ),
}
_DATAGRAMS: Final = ("UDP", "TCP_UDP")


def list_load_balancer_attributes(type_name: str, scheme: str) -> dict[str, Attribute]:
    """Return the attributes that load balancers of a type and scheme have."""
    blocked = "true" if scheme == "internal" else "false"
    deny = {"ipv6.deny_all_igw_traffic": Attribute(blocked, _BOOLEAN, _is_other_than(blocked))}
    return {**_LOAD_BALANCER[type_name], **deny}


def list_listener_attributes(protocol: str) -> dict[str, Attribute]:
    """Return the attributes that listeners of a protocol have."""
    if protocol in ("HTTP", "HTTPS"):
        is_secure = protocol == "HTTPS"
        found = _LISTENER["application"]
        return {key: each for key, each in found.items() if is_secure or not key.startswith(_SECURE_ONLY)}
    return {} if protocol == "UDP" else _LISTENER["network"]


def list_group_attributes(type_name: str, protocol: str, version: str) -> dict[str, Attribute]:
    """Return the attributes that target groups have."""
    if type_name == "lambda":
        return _LAMBDA_GROUP
    if protocol in ("HTTP", "HTTPS"):
        is_modern = version in ("HTTP2", "GRPC")
        forwarding = {"routing.http2.rst_stream_error_forwarding.enabled": _NEVER_ON} if is_modern else {}
        inspecting = "waf.http2.traffic_inspection_behavior"
        behaviors = _make_choice("inspect_immediately", "inspect_after_sufficient_data")
        inspection = {inspecting: Attribute("inspect_immediately", behaviors, _is_other_than("inspect_immediately"))}
        return {**_APPLICATION_GROUP, **forwarding, **(inspection if version == "HTTP2" else {})}
    is_datagrams = protocol in _DATAGRAMS
    keeps = "true" if type_name != "ip" or is_datagrams else "false"
    ends, breaks = ("true", "false") if is_datagrams else ("false", "true")
    return {
        **_NETWORK_GROUP,
        "deregistration_delay.connection_termination.enabled": Attribute(
            ends, _BOOLEAN, lambda value: (value, ends) == ("false", "true")
        ),
        "preserve_client_ip.enabled": Attribute(
            keeps,
            _make_choice("true") if is_datagrams else _BOOLEAN,
            lambda value: (value, protocol) == ("true", "TLS"),
        ),
        "target_health_state.unhealthy.connection_termination.enabled": Attribute(
            breaks, _make_choice("false") if is_datagrams else _BOOLEAN, _is_other_than(breaks)
        ),
    }


def fill(known: Mapping[str, Attribute], values: Mapping[str, str]) -> dict[str, str]:
    """Return the values of all attributes, with the defaults of those that were not set."""
    return {key: values.get(key, attribute.default) for key, attribute in known.items()}


def change(
    noun: str, known: Mapping[str, Attribute], values: Mapping[str, str], given: Iterable[Mapping[str, Any]]
) -> dict[str, str]:
    """Return values with those that are given. Raises AwsError for what is not admitted."""
    changed = dict(values)
    for each in given:
        key, value = each.get("Key", ""), each.get("Value", "")
        if key not in known:
            raise ValidationError(f"{noun} attribute key '{key}' is not recognized")
        wanted = known[key].check(value)
        if wanted is not None:
            raise ValidationError(f"{noun} attribute '{key}' must be {wanted}, not '{value}'")
        if known[key].unsupported(value):
            raise UnsupportedFeature(f"the value '{value}' of the attribute '{key}'")
        changed[key] = value
    return changed


def check_group_attributes(values: Mapping[str, str]) -> None:
    """Raise InvalidConfiguration where attributes of a target group exclude each other."""
    algorithm = values.get("load_balancing.algorithm.type", "round_robin")
    if values.get("slow_start.duration_seconds", "0") != "0" and algorithm != "round_robin":
        raise InvalidConfiguration(
            f"You cannot enable both slow start and the '{algorithm}' load balancing algorithm for a target group"
        )
    is_by_cookie = values.get("stickiness.enabled") == "true" and values.get("stickiness.type") == "app_cookie"
    if is_by_cookie and not values.get("stickiness.app_cookie.cookie_name"):
        raise InvalidConfiguration("A cookie name must be specified for stickiness of the type 'app_cookie'")


def to_api(values: Mapping[str, str]) -> list[dict[str, str]]:
    """Return attributes as the API has them."""
    return [{"Key": key, "Value": value} for key, value in values.items()]


def check_stickiness_type(known: Mapping[str, Attribute], protocol: str, given: Iterable[Mapping[str, Any]]) -> None:
    """Raise InvalidConfiguration for a type of stickiness that target groups of another protocol have."""
    for each in given:
        key, value = each.get("Key"), each.get("Value", "")
        if key == "stickiness.type" and key in known and known[key].check(value) is not None:
            text = f"Stickiness type '{value}' is not supported for target groups with the {protocol} protocol"
            raise InvalidConfiguration(text)
