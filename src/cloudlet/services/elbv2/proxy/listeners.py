"""Listeners of load balancers as Envoy's: their addresses, filter chains and routes."""

from __future__ import annotations

from typing import Final

from cloudlet.engines.envoy.resource_parts import ADS, make_extension, make_socket_address
from cloudlet.engines.envoy.snapshot import Resource
from cloudlet.services.elbv2.proxy import (
    access_logging,
    actions,
    authenticating,
    conditions,
    counting,
    forwarding,
    headers,
    pages,
    request_checks,
    rewrites,
    stickiness,
    tls,
)
from cloudlet.services.elbv2.proxy.resources import make_case_keeping
from cloudlet.services.elbv2.proxy.view import Listener, LoadBalancer, View

_CONNECTIONS: Final = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
_ROUTER: Final = "envoy.extensions.filters.http.router.v3.Router"
_INSPECTOR: Final = "envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector"
_MAX_STREAMS: Final = 128
_REQUEST_HEADER_KIB: Final = 64
_MAX_HEADERS: Final = 1000
_DRAIN_TIMEOUT: Final = "0.001s"
"""A time before an idle connection is closed. The default adds five seconds to each timeout."""


def make_addresses(load_balancer: LoadBalancer, port: int, protocol: str = "TCP") -> Resource:
    """Return where a listener listens: at all addresses of its load balancer."""
    found = [make_socket_address(address, port, protocol) for address in load_balancer.addresses]
    if load_balancer.machine_address:
        # Where an ordinary user may not have the port, the keeper takes another one for it.
        found.append(make_socket_address(load_balancer.machine_address, port, protocol))
    first, *others = found
    return {"address": first, "additional_addresses": [{"address": each} for each in others]}


def make_listener(view: View, load_balancer: LoadBalancer, listener: Listener, *, has_module: bool = False) -> Resource:
    """Return a listener of an Application Load Balancer."""
    description = listener.description
    is_secure = description["Protocol"] == "HTTPS"
    protocols = ("h2", "http/1.1") if forwarding.is_http_2_enabled(load_balancer) else ("http/1.1",)
    connections = _make_connections(view, load_balancer, listener)
    if has_module:
        connections["early_header_mutation_extensions"].append(headers.make_trace_mutation())
    else:
        connections["http_filters"].insert(0, headers.make_trace_filter())
    manager = make_extension("http", _CONNECTIONS, **connections)
    chain: Resource = {"filters": [manager]}
    if is_secure:
        chain["transport_socket"] = tls.make_transport_socket(view, listener, protocols)
    return {
        "name": listener.arn,
        "stat_prefix": counting.get_id(listener),
        **make_addresses(load_balancer, description["Port"]),
        "filter_chains": [chain],
        "listener_filters": [make_extension("tls", _INSPECTOR)] if is_secure else [],
        # Two programs would share a port silently.
        "enable_reuse_port": False,
        "access_log": access_logging.make_connection_logs(load_balancer, listener),
    }


def _needs_protocol(view: View, listener: Listener) -> bool:
    """Whether rules look at the protocol of requests."""
    arns = forwarding.list_listener_groups(listener)
    return request_checks.needs_protocol(view.target_groups[arn] for arn in arns if arn in view.target_groups)


def _make_connections(view: View, load_balancer: LoadBalancer, listener: Listener) -> Resource:
    attributes = load_balancer.attributes
    is_secure = listener.description["Protocol"] == "HTTPS"
    idle = f"{attributes.get('idle_timeout.timeout_seconds', '60')}s"
    return {
        "stat_prefix": counting.get_id(listener),
        "codec_type": "AUTO" if is_secure else "HTTP1",
        "rds": {"route_config_name": listener.arn, "config_source": ADS},
        "http_filters": [
            authenticating.make_filter(),
            *stickiness.make_filters(),
            *rewrites.make_filters(),
            make_extension(
                "router",
                _ROUTER,
                suppress_envoy_headers=True,
                # They cost more than ours.
                dynamic_stats=False,
                upstream_log=[counting.make_target_counter(listener)],
            ),
        ],
        "early_header_mutation_extensions": headers.make_early_mutations(
            load_balancer,
            listener,
            [*authenticating.list_forgeable_headers(listener), *headers.list_certificate_headers(listener)],
            needs_protocol=_needs_protocol(view, listener),
        ),
        "local_reply_config": pages.make_local_replies(),
        "server_header_transformation": "PASS_THROUGH",
        "access_log": [
            counting.make_answer_counter(listener),
            *access_logging.make_request_logs(load_balancer, listener),
        ],
        "upgrade_configs": [{"upgrade_type": "websocket"}],
        "use_remote_address": True,
        "skip_xff_append": True,
        "generate_request_id": False,
        "preserve_external_request_id": True,
        "strip_any_host_port": headers.is_port_stripped(load_balancer),
        "max_request_headers_kb": _REQUEST_HEADER_KIB,
        "stream_idle_timeout": idle,
        "request_headers_timeout": idle,
        "drain_timeout": _DRAIN_TIMEOUT,
        "common_http_protocol_options": {
            "idle_timeout": idle,
            "max_connection_duration": f"{attributes.get('client_keep_alive.seconds', '3600')}s",
            "max_headers_count": _MAX_HEADERS,
        },
        "http_protocol_options": {
            "accept_http_10": True,
            "default_host_for_http_10": load_balancer.description.get("DNSName", ""),
            # A request with both is sent on without its length.
            "allow_chunked_length": not request_checks.is_strict(load_balancer),
            "allow_custom_methods": True,
            "header_key_format": make_case_keeping(),
        },
        "http2_protocol_options": {"max_concurrent_streams": _MAX_STREAMS},
    }


def make_routes(view: View, load_balancer: LoadBalancer, listener: Listener) -> Resource:
    """Return the routes of a listener: its rules in their order."""
    matchers = [
        {
            "predicate": conditions.make_predicate(rule["Conditions"]),
            "on_match": actions.make_match(
                view,
                load_balancer,
                listener,
                rule["Actions"],
                rule.get("Transforms") or (),
                rule["Priority"],
                rule["RuleArn"],
                evaluated,
            ),
        }
        for evaluated, rule in enumerate(listener.rules, 1)
    ]
    matchers = [*request_checks.make_matchers(load_balancer), *authenticating.make_callback(listener), *matchers]
    own = listener.description["DefaultActions"]
    fallback = actions.make_match(
        view, load_balancer, listener, own, holder=listener.arn, evaluated=len(listener.rules)
    )
    rules: Resource = {"on_no_match": fallback}
    if matchers:
        rules["matcher_list"] = {"matchers": matchers}
    return {
        "name": listener.arn,
        "virtual_hosts": [{"name": "rules", "domains": ["*"], "matcher": rules}],
        **headers.make_request_changes(load_balancer, listener, needs_protocol=_needs_protocol(view, listener)),
        **headers.make_response_changes(listener),
    }
