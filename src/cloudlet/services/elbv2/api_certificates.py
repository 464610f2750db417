"""The operations on certificates of listeners, and on security policies."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from cloudlet.core import AwsError, Context, FinalTransaction, Params, Result, Transaction
from cloudlet.services.elbv2 import certificate_use, certificates, forwarding, limits, protocols, ssl_policies, storing
from cloudlet.services.elbv2.block import service
from cloudlet.services.elbv2.errors import ForbiddenOperation, QuotaExcess, ValidationError
from cloudlet.services.elbv2.listener_record import Listener
from cloudlet.services.elbv2.paging import show_page
from cloudlet.services.elbv2.storing import LISTENERS, get_listener, get_load_balancer


def _read_arns(params: Params) -> list[str]:
    given = params["Certificates"]
    if any("IsDefault" in each for each in given):
        raise ValidationError("IsDefault cannot be specified for a certificate")
    if not given:
        raise ValidationError("A certificate must be specified")
    return [each.get("CertificateArn", "") for each in given]


def _check_secure(found: Listener) -> None:
    if found.protocol not in protocols.SECURE:
        raise ValidationError(f"Certificates cannot be specified for {found.protocol} listeners")


@service.direct("AddListenerCertificates")
async def add_listener_certificates(ctx: Context, params: Params) -> FinalTransaction:
    arn, given = params["ListenerArn"], _read_arns(params)
    _check_secure(await ctx.transact(lambda tx: get_listener(ctx, tx, arn)))
    for each in given:
        await certificates.check(ctx, each)

    async def add(tx: Transaction) -> Result:
        found = await get_listener(ctx, tx, arn)
        _check_secure(found)
        changed = replace(found, certificates=tuple(dict.fromkeys((*found.certificates, *given))))
        balancer = await get_load_balancer(ctx, tx, found.load_balancer_arn)
        others = [each for each in await storing.list_listeners(tx, balancer) if each.name != found.name]
        if sum(len(each.certificates) for each in (*others, changed)) > limits.MAX_CERTIFICATES:
            text = f"A load balancer can only have '{limits.MAX_CERTIFICATES}' certificates"
            raise QuotaExcess("TooManyCertificatesException", text)
        await _save(tx, changed)
        return {"Certificates": [{"CertificateArn": each, "IsDefault": False} for each in given]}

    return FinalTransaction(add)


async def _save(tx: Transaction, changed: Listener) -> None:
    LISTENERS.save(tx, changed)
    certificate_use.request(tx, changed)
    await forwarding.request_served(tx, changed)


@service.operation("RemoveListenerCertificates")
async def remove_listener_certificates(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await get_listener(ctx, tx, params["ListenerArn"])
    given = _read_arns(params)
    if found.certificate in given and found.certificate not in found.certificates:
        text = f"Default certificate '{found.certificate}' cannot be removed"
        raise ForbiddenOperation(text)
    await _save(tx, replace(found, certificates=tuple(each for each in found.certificates if each not in given)))
    return {}


@service.operation("DescribeListenerCertificates")
async def describe_listener_certificates(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await get_listener(ctx, tx, params["ListenerArn"])
    shown: list[dict[str, Any]] = []
    if found.certificate:
        shown = [{"CertificateArn": found.certificate, "IsDefault": True}]
    shown += [{"CertificateArn": each, "IsDefault": False} for each in found.certificates]
    return show_page("Certificates", shown, params.get("Marker"), params.get("PageSize"))


@service.operation("DescribeSSLPolicies")
async def describe_ssl_policies(ctx: Context, tx: Transaction, params: Params) -> Result:
    names, type_name = params.get("Names"), params.get("LoadBalancerType")
    for name in names or ():
        if name not in ssl_policies.POLICIES:
            raise AwsError("SSLPolicyNotFoundException", f"SSL policy '{name}' not found")
    found = [
        ssl_policies.to_api(policy)
        for policy in ssl_policies.POLICIES.values()
        if (not names or policy.name in names) and (type_name is None or type_name in policy.types)
    ]
    return show_page("SslPolicies", found, params.get("Marker"), params.get("PageSize"))
