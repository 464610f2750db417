"""The right of Envoys to their configuration: their signatures, and policies.

A stock Envoy signs the headers of its stream (SigV4, `envoy.filters.http.aws_request_signing` on the cluster of the
management server). In open mode calls need no signature, and unknown keys are let in.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from cloudlet.core import AwsError, Context
from cloudlet.core.authorization import enforcement
from cloudlet.core.aws.arn import Arn, partition_of
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.identity import Principal
from cloudlet.core.kernel.ids import uuid4
from cloudlet.core.kernel.system_clock import SystemClock
from cloudlet.core.kernel.tokens import parse_account
from cloudlet.engines.envoy.grpc_server import PERMISSION_DENIED, CallRefusal
from cloudlet.services.appmesh.proxy.node_id import EnvoyNode, parse_node_id
from cloudlet.wire import sigv4
from cloudlet.wire.claims import Claim
from cloudlet.wire.http import HttpRequest

_ACTION: Final = "appmesh:StreamAggregatedResources"
_EXPORT: Final = "acm:ExportCertificate"
_DEFAULT_ACCOUNT: Final = "000000000000"
_DEFAULT_REGION: Final = "us-east-1"
_MAX_SKEW_SECONDS: Final = 300
_UNAUTHENTICATED: Final = 16


class Admission(NamedTuple):
    """An Envoy that may connect, and its caller."""

    node: EnvoyNode
    context: Context | None
    """The caller with its permissions; None where these are not enforced."""


async def admit(block: Block, node_id: str, headers: Mapping[str, str]) -> Admission | None:
    """Return what an Envoy is; None for one that is nothing. Raises CallRefusal for one that may not connect."""
    request = _make_request(headers)
    try:
        claim = sigv4.claim(request)
    except sigv4.Malformed as error:
        raise CallRefusal(_UNAUTHENTICATED, str(error)) from None
    principal = None if claim is None else await _authenticate(block, request, claim)
    account, region = _DEFAULT_ACCOUNT, _DEFAULT_REGION
    if claim is not None:
        region = claim.credential.region
        account = principal.account if principal is not None else parse_account(claim.access_key) or account
    node = parse_node_id(node_id, account, region)
    if node is None:
        return None
    return Admission(node, await _authorize(block, node, principal) if block.is_strict else None)


def check_certificates(admission: Admission, arns: Iterable[str]) -> None:
    """Raise CallRefusal unless an Envoy's caller may have certificates of ACM with their private keys.

    App Mesh user guide, "Transport Layer Security (TLS)": acm:ExportCertificate.
    """
    for arn in arns:
        _check(admission.context, "acm", _EXPORT, arn)


def _make_request(headers: Mapping[str, str]) -> HttpRequest:
    """Return the request that a call of gRPC is."""
    path, _, query = headers.get(":path", "/").partition("?")
    plain = {name: value for name, value in headers.items() if not name.startswith(":")}
    plain.setdefault("host", headers.get(":authority", ""))
    return HttpRequest(headers.get(":method", "POST"), path, query, plain)


async def _authenticate(block: Block, request: HttpRequest, claim: Claim) -> Principal | None:
    """Return who has signed a call; None for a key that nobody knows. Raises CallRefusal for a wrong signature."""
    cloud = block.cloud
    known = cloud.find_key(claim.access_key, claim.token)
    if known is None and claim.token is None:
        try:
            known = await cloud.permissions.load_key(claim.access_key)
        except AwsError as error:
            raise CallRefusal(_UNAUTHENTICATED, error.message) from None
    if known is None or not known.is_active:
        return None
    if known.expires is not None and known.expires < block.clock.now():
        raise CallRefusal(_UNAUTHENTICATED, "The security token included in the request is expired")
    if abs(claim.signed_at - SystemClock().now()) > _MAX_SKEW_SECONDS:
        raise CallRefusal(_UNAUTHENTICATED, "Signature expired, or not yet current")
    payload = request.headers.get("x-amz-content-sha256", sigv4.UNSIGNED_PAYLOAD)
    canonical = sigv4.canonical_request(request, claim, payload)
    expected = sigv4.signature(known.secret_key, claim, sigv4.string_to_sign(claim, canonical))
    if not claim.signature.isascii() or not hmac.compare_digest(expected, claim.signature):
        raise CallRefusal(
            _UNAUTHENTICATED, "The request signature we calculated does not match the signature you provided"
        )
    return known.principal


async def _authorize(block: Block, node: EnvoyNode, principal: Principal | None) -> Context:
    """Return a caller with its permissions. Raises CallRefusal unless they let it have a node's configuration."""
    if principal is None:
        raise CallRefusal(_UNAUTHENTICATED, "The call must be signed with a key that is known")
    if principal.account != node.account:
        raise CallRefusal(PERMISSION_DENIED, "The mesh belongs to another account")
    context = Context(block, principal, node.account, node.region, uuid4(), block.cloud.config.endpoint)
    arn = Arn(partition_of(node.region), "appmesh", node.region, node.account, node.path)
    try:
        context.permissions = await block.cloud.permissions.load(principal)
    except AwsError as error:
        raise CallRefusal(PERMISSION_DENIED, error.message) from None
    _check(context, "appmesh", _ACTION, str(arn))
    return context


def _check(context: Context | None, model: str, action: str, arn: str) -> None:
    """Raise CallRefusal unless a caller's policies allow an action on a resource."""
    if context is None or context.permissions.is_unlimited:
        return
    try:
        enforcement.check_resource(context, model, action, arn)
    except AwsError as error:
        raise CallRefusal(PERMISSION_DENIED, error.message) from None
