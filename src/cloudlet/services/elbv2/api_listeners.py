"""The operations on listeners."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from cloudlet.core import AwsError, Context, FinalTransaction, Params, Result, Transaction
from cloudlet.core.aws import tags
from cloudlet.services.elbv2 import (
    actions,
    arns,
    attributes,
    certificate_use,
    certificates,
    forwarding,
    interfaces,
    limits,
    protocols,
    securing,
    storing,
    tagging,
)
from cloudlet.services.elbv2.actions import Actions
from cloudlet.services.elbv2.balancer_record import LoadBalancer
from cloudlet.services.elbv2.block import service
from cloudlet.services.elbv2.errors import QuotaExcess, ValidationError
from cloudlet.services.elbv2.listener_record import Listener
from cloudlet.services.elbv2.paging import show_page
from cloudlet.services.elbv2.storing import LISTENERS, get_listener, get_load_balancer


def _check_protocol(found: LoadBalancer, protocol: str | None) -> str:
    protocols.check_supported(protocol)
    if protocol is None:
        raise ValidationError("A listener protocol must be specified")
    allowed = protocols.LISTENERS[found.type]
    if protocol not in allowed:
        raise ValidationError(f"Listener protocol '{protocol}' must be one of '{', '.join(allowed)}'")
    return protocol


def _check_port(listeners: Sequence[Listener], port: int | None, load_balancer: str, own: str = "") -> int:
    if port is None:
        raise ValidationError("A listener port must be specified")
    if any(each.port == port and each.name != own for each in listeners):
        text = f"A listener already exists on this port for this load balancer '{load_balancer}'"
        raise AwsError("DuplicateListenerException", text)
    return port


@service.direct("CreateListener")
async def create_listener(ctx: Context, params: Params) -> FinalTransaction:
    arn = params["LoadBalancerArn"]
    balancer = await ctx.transact(lambda tx: get_load_balancer(ctx, tx, arn))
    protocol = _check_protocol(balancer, params.get("Protocol"))
    certificate = securing.read_certificate(params, protocol)
    policy = securing.read_policy(params, balancer, protocol)
    alpn = securing.read_alpn(params, protocol)
    parsed = actions.parse(params["DefaultActions"], protocol)
    made_tags = tagging.read_new(params.get("Tags"))
    if certificate:
        await certificates.check(ctx, certificate)

    async def create(tx: Transaction) -> Result:
        found = await get_load_balancer(ctx, tx, arn)
        authentication = await securing.read_authentication(
            ctx, tx, params.get("MutualAuthentication"), found, protocol
        )
        listeners = await storing.list_listeners(tx, found)
        port = params.get("Port")
        known = next((each for each in listeners if each.port == port), None)
        if known is not None and await _is_same(
            tx, known, protocol, certificate, policy, alpn, authentication, parsed, made_tags
        ):
            return {"Listeners": [to_api(known)]}
        port = _check_port(listeners, port, arn)
        if len(listeners) >= limits.MAX_LISTENERS:
            text = f"The maximum number of listeners has been reached on load balancer '{arn}'"
            raise QuotaExcess("TooManyListenersException", text)
        securing.check_policies(listeners, policy)
        await forwarding.check(ctx, tx, found, protocol, parsed.actions)
        made = Listener(
            account=ctx.account,
            region=ctx.region,
            name=f"{found.name}/{arns.make_id()}",
            port=port,
            protocol=protocol,
            default_rule=arns.make_id(),
            actions=parsed.actions,
            policy=policy,
            certificate=certificate,
            alpn=alpn,
            authentication=authentication,
        )
        made = replace(made, secret=forwarding.encrypt_secret(ctx, made.arn, parsed, b""))
        tags.save(tx, made.arn, made_tags)
        await _save(tx, None, made)
        return {"Listeners": [to_api(made)]}

    return FinalTransaction(create)


async def _is_same(
    tx: Transaction,
    known: Listener,
    protocol: str,
    certificate: str,
    policy: str,
    alpn: tuple[str, ...],
    authentication: dict[str, Any] | None,
    parsed: Actions,
    made_tags: tags.Tags,
) -> bool:
    """Whether a listener has the settings of a request."""
    settings = (known.protocol, known.certificate, known.policy, known.alpn, known.authentication, known.actions)
    if settings != (protocol, certificate, policy, alpn, authentication, parsed.actions) or parsed.secret:
        return False
    return await tags.load(tx, known.arn) == made_tags


async def _save(tx: Transaction, before: Listener | None, after: Listener) -> None:
    """Write a listener, and what it uses."""
    groups = () if before is None else storing.list_target_groups(before.actions)
    storing.record_uses(tx, after, groups, storing.list_target_groups(after.actions))
    old = () if before is None or not before.trust_store else (before.trust_store,)
    storing.record_uses(tx, after, old, (after.trust_store,) if after.trust_store else ())
    LISTENERS.save(tx, after)
    certificate_use.request(tx, after)
    await forwarding.request_served(tx, after)


def to_api(found: Listener) -> dict[str, Any]:
    """Return a listener as the API has it."""
    shown: dict[str, Any] = {
        "ListenerArn": found.arn,
        "LoadBalancerArn": found.load_balancer_arn,
        "Port": found.port,
        "Protocol": found.protocol,
        "DefaultActions": list(found.actions),
    }
    if found.certificate:
        shown |= {
            "Certificates": [{"CertificateArn": found.certificate}],
            "SslPolicy": found.policy,
            "MutualAuthentication": found.authentication,
        }
    if found.alpn:
        shown["AlpnPolicy"] = list(found.alpn)
    return shown


@service.direct("ModifyListener")
async def modify_listener(ctx: Context, params: Params) -> FinalTransaction:
    arn = params["ListenerArn"]
    before, balancer = await ctx.transact(lambda tx: _load(ctx, tx, arn))
    protocol = _check_protocol(balancer, params.get("Protocol", before.protocol))
    certificate = securing.read_certificate(params, protocol, before.certificate)
    if params.get("Certificates"):
        await certificates.check(ctx, certificate)
    given = params.get("DefaultActions")
    parsed = None if given is None else actions.parse(given, protocol)

    async def change(tx: Transaction) -> Result:
        listener, found = await _load(ctx, tx, arn)
        others = [each for each in await storing.list_listeners(tx, found) if each.name != listener.name]
        policy = securing.read_policy(params, found, protocol, listener.policy)
        securing.check_policies(others, policy)
        changed = replace(
            listener,
            port=_check_port(others, params.get("Port", listener.port), found.arn),
            protocol=protocol,
            certificate=certificate,
            certificates=listener.certificates if certificate else (),
            policy=policy,
            alpn=securing.read_alpn(params, protocol, listener.alpn),
            authentication=await securing.read_authentication(
                ctx, tx, params.get("MutualAuthentication"), found, protocol, listener.authentication
            ),
        )
        if parsed is not None:
            secret = forwarding.encrypt_secret(ctx, listener.arn, parsed, listener.secret)
            changed = replace(changed, actions=parsed.actions, secret=secret)
        elif protocol != listener.protocol:
            actions.parse([_hide_kept(each) for each in listener.actions], protocol)
        await forwarding.check(ctx, tx, found, protocol, changed.actions)
        known = attributes.list_listener_attributes(protocol)
        kept = {key: value for key, value in listener.attributes.items() if key in known}
        changed = replace(changed, attributes=kept)
        await _save(tx, listener, changed)
        return {"Listeners": [to_api(changed)]}

    return FinalTransaction(change)


def _hide_kept(action: dict[str, Any]) -> dict[str, Any]:
    """Return an action that is kept as one that a request has."""
    config = action.get("AuthenticateOidcConfig")
    return action if config is None else {**action, "AuthenticateOidcConfig": {**config, actions.USES_EXISTING: True}}


async def _load(ctx: Context, tx: Transaction, arn: str) -> tuple[Listener, LoadBalancer]:
    listener = await get_listener(ctx, tx, arn)
    return listener, await get_load_balancer(ctx, tx, listener.load_balancer_arn)


@service.operation("DescribeListeners")
async def describe_listeners(ctx: Context, tx: Transaction, params: Params) -> Result:
    names, balancer = params.get("ListenerArns"), params.get("LoadBalancerArn")
    if not names and not balancer:
        raise ValidationError("You must specify either listener ARNs or a load balancer ARN")
    if names and balancer:
        raise ValidationError("You cannot specify both listener ARNs and a load balancer ARN")
    if names:
        found = [await get_listener(ctx, tx, each) for each in dict.fromkeys(names)]
    else:
        found = await storing.list_listeners(tx, await get_load_balancer(ctx, tx, str(balancer)))
    return show_page("Listeners", [to_api(each) for each in found], params.get("Marker"), params.get("PageSize"))


@service.operation("DeleteListener")
async def delete_listener(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await get_listener(ctx, tx, params["ListenerArn"])
    await storing.remove_listener(tx, found)
    # What was wrong with it is no fault of the load balancer any more.
    name = arns.get_load_balancer_name(found.name)
    await interfaces.record_refusal(tx, found.account, found.region, name, found.arn, "")
    certificate_use.request(tx, found)
    await forwarding.request_served(tx, found)
    return {}


def get_attributes(found: Listener) -> dict[str, str]:
    """Return all attributes of a listener."""
    return attributes.fill(attributes.list_listener_attributes(found.protocol), found.attributes)


@service.operation("DescribeListenerAttributes")
async def describe_listener_attributes(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await get_listener(ctx, tx, params["ListenerArn"])
    return {"Attributes": attributes.to_api(get_attributes(found))}


@service.operation("ModifyListenerAttributes")
async def modify_listener_attributes(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await get_listener(ctx, tx, params["ListenerArn"])
    known = attributes.list_listener_attributes(found.protocol)
    changed = replace(found, attributes=attributes.change("Listener", known, found.attributes, params["Attributes"]))
    LISTENERS.save(tx, changed)
    await forwarding.request_served(tx, changed)
    return {"Attributes": attributes.to_api(get_attributes(changed))}
