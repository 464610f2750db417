"""Headers that a load balancer adds, changes and removes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from cloudlet.engines.envoy import program
from cloudlet.engines.envoy.resource_parts import make_extension
from cloudlet.engines.envoy.snapshot import Resource
from cloudlet.services.elbv2.proxy import names
from cloudlet.services.elbv2.proxy.conditions import get_expressions
from cloudlet.services.elbv2.proxy.resources import make_header, make_regex
from cloudlet.services.elbv2.proxy.view import Listener, LoadBalancer

_DEFAULT_PORTS: Final = (80, 443)
_ADDRESS: Final = "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%"
_EARLY: Final = "envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation"
_INVALID_NAMES: Final = "[^:].*[^-a-zA-Z0-9].*|[^-:a-zA-Z0-9].*"
_TRACE: Final = """
math.randomseed(os.time() + tonumber(tostring({}):match("0x(%x+)"), 16))
function envoy_on_request(handle)
  local headers = handle:headers()
  local id = string.format("1-%08x-%06x%06x%06x%06x", os.time(), math.random(0, 16777215), math.random(0, 16777215),
    math.random(0, 16777215), math.random(0, 16777215))
  local known = headers:get("x-amzn-trace-id")
  if not known or #known > 7168 then
    headers:replace("x-amzn-trace-id", "Root=" .. id)
  else
    known = known:gsub("Self=[^;]*;?", "")
    headers:replace("x-amzn-trace-id", (known:find("Root=", 1, true) and "Self=" or "Root=") .. id .. ";" .. known)
  end
end
"""
"""Adds X-Amzn-Trace-Id where there is no module: formats of Envoy have no hexadecimal time."""
_MODULE: Final = "envoy.extensions.http.early_header_mutation.dynamic_modules.v3.DynamicModuleEarlyHeaderMutation"
_HEADER_NAME: Final = ".header_name"
_RESPONSE: Final = "routing.http.response."
_HEADER_VALUE: Final = ".header_value"
_CERTIFICATE: Final = {
    "x_amzn_mtls_clientcert": "%DOWNSTREAM_PEER_CERT%",
    "x_amzn_mtls_clientcert_leaf": "%DOWNSTREAM_PEER_CERT%",
    "x_amzn_mtls_clientcert_serial_number": "%DOWNSTREAM_PEER_SERIAL%",
    "x_amzn_mtls_clientcert_issuer": "%DOWNSTREAM_PEER_ISSUER%",
    "x_amzn_mtls_clientcert_subject": "%DOWNSTREAM_PEER_SUBJECT%",
    "x_amzn_mtls_clientcert_validity": (
        "NotBefore=%DOWNSTREAM_PEER_CERT_V_START(%Y-%m-%dT%H:%M:%SZ)%"
        ";NotAfter=%DOWNSTREAM_PEER_CERT_V_END(%Y-%m-%dT%H:%M:%SZ)%"
    ),
}
_TLS: Final = {
    "x_amzn_tls_version": "%DOWNSTREAM_TLS_VERSION%",
    "x_amzn_tls_cipher_suite": "%DOWNSTREAM_TLS_CIPHER%",
}


def make_trace_filter() -> Resource:
    """Return the filter that makes trace ids."""
    return make_extension(
        "trace-id",
        "envoy.extensions.filters.http.lua.v3.Lua",
        default_source_code={"inline_string": _TRACE},
        clear_route_cache=False,
    )


def make_trace_mutation() -> Resource:
    """Return the early change by which our module makes trace ids."""
    config = {"dynamic_module_config": {"name": program.TRACE_IDS}, "early_header_mutation_name": program.TRACE_IDS}
    return make_extension(
        "envoy.http.early_header_mutation.dynamic_modules",
        "xds.type.v3.TypedStruct",
        type_url=f"type.googleapis.com/{_MODULE}",
        value=config,
    )


def _list_looked_at(load_balancer: LoadBalancer, listener: Listener, *, needs_protocol: bool) -> dict[str, str]:
    """Return our own headers that rules look at, with their formats. Each costs time."""
    conditions = [each for rule in listener.rules for each in rule["Conditions"]]
    found = {}
    if any(each["Field"] == "source-ip" for each in conditions):
        found[names.SOURCE] = _ADDRESS
    if any(each["Field"] == "path-pattern" and get_expressions(each, "PathPatternConfig") for each in conditions):
        found[names.PATH] = "%PATH(NQ:PATH)%"
    if needs_protocol:
        found[names.PROTOCOL] = "%PROTOCOL%"
    if load_balancer.machine_ports:
        found[names.ADDRESS] = "%DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT%"
    return found


def make_early_mutations(
    load_balancer: LoadBalancer, listener: Listener, removed: Sequence[str], *, needs_protocol: bool
) -> list[Resource]:
    """Return the changes before rules are looked at, which can look at headers only."""
    added = _list_looked_at(load_balancer, listener, needs_protocol=needs_protocol)
    mutations: list[Resource] = [{"remove": name} for name in removed]
    if load_balancer.attributes.get("routing.http.drop_invalid_header_fields.enabled") == "true":
        mutations.append({"remove_on_match": {"key_matcher": {"safe_regex": make_regex(_INVALID_NAMES)}}})
    mutations += [{"append": make_header(name, value)} for name, value in added.items()]
    if not mutations:
        return []
    return [make_extension("envoy.http.early_header_mutation.header_mutation", _EARLY, mutations=mutations)]


def make_request_changes(load_balancer: LoadBalancer, listener: Listener, *, needs_protocol: bool) -> Resource:
    """Return what all routes of a listener change in requests."""
    attributes = load_balancer.attributes
    looked_at = _list_looked_at(load_balancer, listener, needs_protocol=needs_protocol)
    removed = [*looked_at, "x-envoy-external-address"]
    added = [make_header("x-forwarded-port", str(listener.description["Port"]))]
    mode = attributes.get("routing.http.xff_header_processing.mode", "append")
    if mode == "remove":
        removed.append("x-forwarded-for")
    elif mode == "append":
        has_port = attributes.get("routing.http.xff_client_port.enabled") == "true"
        address = "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS%" if has_port else _ADDRESS
        joined = f"%REQ(x-forwarded-for)%, {address}"
        added.append(make_header("x-forwarded-for", joined, "OVERWRITE_IF_EXISTS"))
        added.append(make_header("x-forwarded-for", address, "ADD_IF_ABSENT"))
    if listener.description["Protocol"] == "HTTPS":
        added += [make_header(name, value) for name, value in _list_tls_headers(load_balancer, listener).items()]
    return {"request_headers_to_add": added, "request_headers_to_remove": removed}


def _list_tls_headers(load_balancer: LoadBalancer, listener: Listener) -> dict[str, str]:
    found: dict[str, str] = {}
    if load_balancer.attributes.get("routing.http.x_amzn_tls_version_and_cipher_suite.enabled") == "true":
        found |= _TLS
    mode = (listener.description.get("MutualAuthentication") or {}).get("Mode", "off")
    if mode == "passthrough":
        found["x_amzn_mtls_clientcert"] = _CERTIFICATE["x_amzn_mtls_clientcert"]
    elif mode == "verify":
        found |= {name: value for name, value in _CERTIFICATE.items() if name != "x_amzn_mtls_clientcert"}
    return {_find_name(listener, name): value for name, value in found.items()}


def list_certificate_headers(listener: Listener) -> list[str]:
    """Return the headers by which targets learn of certificates, which no client may send."""
    mode = (listener.description.get("MutualAuthentication") or {}).get("Mode", "off")
    return [] if mode == "off" else [_find_name(listener, name) for name in _CERTIFICATE]


def _find_name(listener: Listener, name: str) -> str:
    changed = listener.attributes.get(f"routing.http.request.{name}{_HEADER_NAME}", "")
    return (changed or name.replace("_", "-")).lower()


def make_response_changes(listener: Listener) -> Resource:
    """Return what all routes of a listener change in responses."""
    added = [
        make_header(key.removeprefix(_RESPONSE).removesuffix(_HEADER_VALUE).replace("_", "-"), value)
        for key, value in listener.attributes.items()
        if key.startswith(_RESPONSE) and key.endswith(_HEADER_VALUE) and value
    ]
    is_silent = listener.attributes.get(f"{_RESPONSE}server.enabled") == "false"
    return {
        "response_headers_to_add": [{**each, "keep_empty_value": False} for each in added],
        "response_headers_to_remove": ["server"] if is_silent else [],
    }


def is_port_stripped(load_balancer: LoadBalancer) -> bool:
    """Whether targets see hosts without the port that the client has sent."""
    return load_balancer.attributes.get("routing.http.preserve_host_header.enabled") != "true"


def find_host_rewrite(load_balancer: LoadBalancer, listener: Listener, *, is_changed: bool) -> str:
    """Return the format of the Host header, empty where it stays as it is."""
    port = int(listener.description["Port"])
    has_port = is_port_stripped(load_balancer) and port not in _DEFAULT_PORTS
    host = f"%DYNAMIC_METADATA({names.METADATA}:host)%" if is_changed else "%REQ(:authority)%"
    return f"{host}:{port}" if has_port else host if is_changed else ""
