"""TLS of listeners: certificates, security policies, and certificates of clients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from cloudlet.engines.envoy.resource_parts import ADS, make_extension
from cloudlet.engines.envoy.snapshot import Resource
from cloudlet.services.elbv2 import ssl_policies
from cloudlet.services.elbv2.proxy.view import Listener, View

_CONTEXT: Final = "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext"
_VERSIONS: Final = {"TLSv1": "TLSv1_0", "TLSv1.1": "TLSv1_1", "TLSv1.2": "TLSv1_2", "TLSv1.3": "TLSv1_3"}
_REFUSED: Final = frozenset(
    (
        "ECDHE-ECDSA-AES256-SHA384",
        "ECDHE-RSA-AES256-SHA384",
        "AES128-SHA256",
        "AES256-SHA256",
    )
)
"""Ciphers of policies that BoringSSL does not have."""
_CURVES: Final = ("X25519", "P-256", "P-384", "P-521")
_POST_QUANTUM: Final = "X25519MLKEM768"
NO_TRUST: Final = "no-trust"
"""The secret by which all certificates of clients are accepted."""
_ALPN: Final = {
    "HTTP1Only": ("http/1.1", "http/1.0"),
    "HTTP2Only": ("h2",),
    "HTTP2Optional": ("http/1.1", "http/1.0", "h2"),
    "HTTP2Preferred": ("h2", "http/1.1", "http/1.0"),
}


def make_transport_socket(view: View, listener: Listener, protocols: Sequence[str]) -> Resource:
    """Return the TLS of a listener, which offers application protocols."""
    common: Resource = {
        "tls_params": make_parameters(listener.description.get("SslPolicy", ssl_policies.DEFAULT)),
        "tls_certificate_sds_secret_configs": [
            _make_reference(arn) for arn in listener.certificates if arn in view.certificates
        ],
        "alpn_protocols": list(protocols),
    }
    mutual = listener.description.get("MutualAuthentication") or {}
    mode = mutual.get("Mode", "off")
    if mode != "off":
        common["validation_context_sds_secret_config"] = _make_reference(
            find_validation_name(listener) if mode == "verify" else NO_TRUST
        )
    return make_extension("tls", _CONTEXT, common_tls_context=common, require_client_certificate=mode == "verify")


def _make_reference(name: str) -> Resource:
    return {"name": name, "sds_config": ADS}


def make_parameters(policy: str) -> Resource:
    """Return the versions and ciphers of a security policy."""
    found = ssl_policies.POLICIES[policy]
    versions = [version for version in _VERSIONS if version in found.protocols]
    ciphers = [each for each in found.ciphers if not each.startswith("TLS_") and each not in _REFUSED]
    curves = [_POST_QUANTUM, *_CURVES] if "-PQ-" in policy else list(_CURVES)
    return {
        "tls_minimum_protocol_version": _VERSIONS[versions[0]],
        "tls_maximum_protocol_version": _VERSIONS[versions[-1]],
        "cipher_suites": ciphers,
        "ecdh_curves": curves,
    }


def list_protocols(policy: str) -> tuple[str, ...]:
    """Return the application protocols of an ALPN policy of a Network Load Balancer."""
    return _ALPN.get(policy, ())


def find_validation_name(listener: Listener) -> str:
    """Return the name of the secret by which a listener verifies certificates of clients."""
    return f"{listener.arn} clients"


def make_secrets(view: View) -> dict[str, Resource]:
    """Return the secrets that listeners use: certificates with their keys, and what verifies clients."""
    found: dict[str, Resource] = {}
    for load_balancer in view.load_balancers:
        for listener in load_balancer.listeners:
            found |= _make_secrets(view, listener)
    return found


def _make_secrets(view: View, listener: Listener) -> dict[str, Resource]:
    found: dict[str, Resource] = {}
    for arn in listener.certificates:
        certificate = view.certificates.get(arn)
        if certificate is not None:
            chain, key = ({"inline_string": each} for each in (certificate.chain, certificate.key))
            found[arn] = {"name": arn, "tls_certificate": {"certificate_chain": chain, "private_key": key}}
    mutual = listener.description.get("MutualAuthentication") or {}
    match mutual.get("Mode"):
        case "verify":
            name = find_validation_name(listener)
            found[name] = {"name": name, "validation_context": _make_validation(view, mutual)}
        case "passthrough":
            validation = {"trust_chain_verification": "ACCEPT_UNTRUSTED"}
            found[NO_TRUST] = {"name": NO_TRUST, "validation_context": validation}
    return found


def _make_validation(view: View, mutual: Resource) -> Resource:
    store = view.trust_stores[mutual["TrustStoreArn"]]
    found: Resource = {
        "trusted_ca": {"inline_string": store.authorities},
        "allow_expired_certificate": bool(mutual.get("IgnoreClientCertificateExpiry")),
    }
    if store.revocations:
        found["crl"] = {"inline_string": "\n".join(store.revocations)}
        # A list of one authority says nothing of those above it.
        found["only_verify_leaf_cert_crl"] = True
    return found
