"""TLS of listeners and clusters.

Certificates are in files, or come from a local SDS provider, or from ACM by our own stream.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from cloudlet.engines.envoy.mesh_bootstrap import SDS_CLUSTER
from cloudlet.engines.envoy.resource_parts import ADS, make_extension
from cloudlet.engines.envoy.snapshot import Resource
from cloudlet.services.appmesh.proxy.view import Surroundings

_FETCH_SECONDS: Final = "2s"
"""The time that a cluster or listener waits for a secret.

All others wait for it.
"""
_OWN_SDS: Final[Resource] = {**ADS, "initial_fetch_timeout": _FETCH_SECONDS}
_LOCAL_SDS: Final[Resource] = {
    "initial_fetch_timeout": _FETCH_SECONDS,
    "api_config_source": {
        "api_type": "GRPC",
        "transport_api_version": "V3",
        "grpc_services": [{"envoy_grpc": {"cluster_name": SDS_CLUSTER}}],
    },
    "resource_api_version": "V3",
}
_TRANSPORT: Final = "envoy.transport_sockets.tls"
_MESSAGES: Final = "envoy.extensions.transport_sockets.tls.v3"
HAS_HTTP2: Final = ("http2", "grpc")
"""The protocols that go by HTTP/2."""


def make_server_socket(listener: Mapping[str, Any]) -> Resource:
    """Return the transport socket of a listener with TLS."""
    tls = listener["tls"]
    context: Resource = _make_certificate(tls["certificate"])
    protocol = listener["portMapping"]["protocol"]
    if protocol != "tcp":
        context["alpn_protocols"] = ["h2"] if protocol in HAS_HTTP2 else ["h2", "http/1.1"]
    if tls.get("validation"):
        context.update(_make_validation(tls["validation"], ()))
    return make_extension(
        _TRANSPORT,
        f"{_MESSAGES}.DownstreamTlsContext",
        common_tls_context=context,
        require_client_certificate=bool(tls.get("validation")),
    )


def make_client_socket(
    policy: Mapping[str, Any] | None, listener: Mapping[str, Any], names: Sequence[str]
) -> Resource | None:
    """Return the transport socket by which a client reaches a node's listener; None without TLS.

    A client takes whatever certificate a listener has, unless its policy says how to validate it. `names` are those
    that the certificate must have, where the policy says none.
    """
    tls, port = (policy or {}).get("tls") or {}, listener["portMapping"]["port"]
    applies = bool(tls) and (not tls.get("ports") or port in tls["ports"])
    has_tls = (listener.get("tls") or {}).get("mode") in ("STRICT", "PERMISSIVE")
    if not has_tls and not (applies and tls.get("enforce", True)):
        return None
    context: Resource = {}
    protocol = listener["portMapping"]["protocol"]
    if protocol != "tcp":
        context["alpn_protocols"] = ["h2"] if protocol in HAS_HTTP2 else ["http/1.1"]
    if applies:
        context.update(_make_validation(tls["validation"], names))
        if tls.get("certificate"):
            context.update(_make_certificate(tls["certificate"]))
    sni = {"sni": names[0]} if names else {}
    return make_extension(_TRANSPORT, f"{_MESSAGES}.UpstreamTlsContext", common_tls_context=context, **sni)


def make_own_socket(listener: Mapping[str, Any]) -> Resource | None:
    """Return the transport socket by which an Envoy reaches its own listener; None without TLS.

    It has the listener's own certificate, where clients must have one.
    """
    tls = listener.get("tls") or {"mode": "DISABLED"}
    if tls["mode"] == "DISABLED":
        return None
    context = _make_certificate(tls["certificate"]) if tls.get("validation") else {}
    context["alpn_protocols"] = ["h2"] if listener["portMapping"]["protocol"] in HAS_HTTP2 else ["http/1.1"]
    return make_extension(_TRANSPORT, f"{_MESSAGES}.UpstreamTlsContext", common_tls_context=context)


def _make_certificate(certificate: Mapping[str, Any]) -> Resource:
    match certificate:
        case {"acm": {"certificateArn": arn}}:
            return {"tls_certificate_sds_secret_configs": [{"name": arn, "sds_config": _OWN_SDS}]}
        case {"sds": {"secretName": name}}:
            return {"tls_certificate_sds_secret_configs": [{"name": name, "sds_config": _LOCAL_SDS}]}
        case {"file": {"certificateChain": chain, "privateKey": key}}:
            files = {"certificate_chain": {"filename": chain}, "private_key": {"filename": key}}
            return {"tls_certificates": [files]}
    return {}


def _make_validation(validation: Mapping[str, Any], names: Sequence[str]) -> Resource:
    """Return how the other side's certificate is validated."""
    given = ((validation.get("subjectAlternativeNames") or {}).get("match") or {}).get("exact")
    context: Resource = {"match_typed_subject_alt_names": list(_match_names(given or names))}
    match validation["trust"]:
        case {"file": {"certificateChain": chain}}:
            return {"validation_context": {**context, "trusted_ca": {"filename": chain}}}
        case {"sds": {"secretName": name}}:
            secret = {"name": name, "sds_config": _LOCAL_SDS}
        case {"acm": {"certificateAuthorityArns": arns}}:
            secret = {"name": _make_trust_name(arns), "sds_config": _OWN_SDS}
        case _:
            return {}
    return {
        "combined_validation_context": {
            "default_validation_context": context,
            "validation_context_sds_secret_config": secret,
        }
    }


def _match_names(names: Iterable[str]) -> Iterable[Resource]:
    for name in names:
        yield {"san_type": "URI" if "://" in name else "DNS", "matcher": {"exact": name}}


def _make_trust_name(arns: Iterable[str]) -> str:
    """Return the name of the secret with the authorities of certificates."""
    return f"trust_{'_'.join(arns)}"


def list_secret_names(resources: Any) -> set[str]:
    """Return the names of the secrets of our own stream that resources refer to."""
    if isinstance(resources, Mapping):
        own = {resources["name"]} if resources.get("sds_config") == _OWN_SDS else set()
        return own.union(*map(list_secret_names, resources.values()))
    return set().union(*map(list_secret_names, resources)) if isinstance(resources, list) else set()


def make_secrets(surroundings: Surroundings, trusts: Iterable[Sequence[str]]) -> dict[str, Resource]:
    """Return the secrets that the stream brings: certificates of ACM, and authorities."""
    secrets: dict[str, Resource] = {
        arn: {
            "name": arn,
            "tls_certificate": {
                "certificate_chain": {"inline_string": each.chain},
                "private_key": {"inline_string": each.key},
            },
        }
        for arn, each in surroundings.certificates.items()
    }
    for arns in trusts:
        name, known = _make_trust_name(arns), [surroundings.authorities.get(arn, "") for arn in arns]
        if any(known):
            trusted = {"trusted_ca": {"inline_string": "\n".join(known)}}
            secrets[name] = {"name": name, "validation_context": trusted}
    return secrets
