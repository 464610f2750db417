"""The operations of the policy simulator."""

from __future__ import annotations

import re
from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Any, Final

from cloudlet.core import Arn, Context, Params, Result, Transaction
from cloudlet.core.aws.policy import Usage
from cloudlet.core.background.workers import run_in_worker
from cloudlet.core.kernel.identity import Principal
from cloudlet.services.iam import errors, managed, paging, principals
from cloudlet.services.iam.block import service
from cloudlet.services.iam.context_keys import list_keys, read_context
from cloudlet.services.iam.entity_record import Identity, Role
from cloudlet.services.iam.principals import AppliedPolicy
from cloudlet.services.iam.simulation import Simulation, SourcePolicy, parse

_CALLER: Final = re.compile(r"arn:[a-z-]+:iam::([0-9]{12}):(user|group|role)/.+")
_EC2: Final = ("instance", "image", "security-group", "network-interface")
_SCENARIOS: Final = {
    "EC2-VPC-InstanceStore": _EC2,
    "EC2-VPC-InstanceStore-Subnet": (*_EC2, "subnet"),
    "EC2-VPC-EBS": (*_EC2, "volume"),
    "EC2-VPC-EBS-Subnet": (*_EC2, "subnet", "volume"),
}
"""The resources that each ResourceHandlingOption asks for."""


@service.direct("SimulateCustomPolicy")
async def simulate_custom_policy(ctx: Context, params: Params) -> Result:
    if params.get("ResourcePolicy") and not params.get("CallerArn"):
        raise errors.invalid_input("CallerArn is required where there is a ResourcePolicy.")
    return await run_in_worker(ctx.account, _simulate, params, f"arn:aws:iam::{ctx.account}:user/", [], None)


@service.direct("SimulatePrincipalPolicy")
async def simulate_principal_policy(ctx: Context, params: Params) -> Result:
    is_excluded = _make_exclusion(params)

    async def body(tx: Transaction) -> tuple[Identity, list[AppliedPolicy], AppliedPolicy | None]:
        source = await principals.get_own(ctx, tx, params["PolicySourceArn"])
        if isinstance(source, Role) and params.get("ResourcePolicy"):
            raise errors.invalid_input("Simulation of resource-based policies isn't supported for IAM roles.")
        boundary = None
        if source.boundary:
            document = (await managed.get(tx, source.account, source.boundary)).document
            boundary = AppliedPolicy(source, source.boundary, document, "boundary")
        return source, await principals.list_policies(tx, source), boundary

    source, applied, boundary = await ctx.transact(body)
    if boundary is not None and is_excluded(boundary):
        boundary = None
    left = [each for each in applied if not is_excluded(each)]
    return await run_in_worker(ctx.account, _simulate, params, source.arn, left, boundary)


@service.direct("GetContextKeysForCustomPolicy")
async def get_context_keys_for_custom_policy(ctx: Context, params: Params) -> Result:
    return await run_in_worker(ctx.account, _find_keys, params, [])


@service.direct("GetContextKeysForPrincipalPolicy")
async def get_context_keys_for_principal_policy(ctx: Context, params: Params) -> Result:
    async def body(tx: Transaction) -> list[AppliedPolicy]:
        return await principals.list_policies(tx, await principals.get_own(ctx, tx, params["PolicySourceArn"]))

    return await run_in_worker(ctx.account, _find_keys, params, await ctx.transact(body))


def _find_keys(params: Params, applied: list[AppliedPolicy]) -> Result:
    """Return the context keys in the policies of a request and of somebody."""
    sources = _parse_applied(applied) + _parse_inputs(params, "PolicyInputList")
    return {"ContextKeyNames": list_keys(each for source in sources for each in source.policy.statements)}


def _simulate(params: Params, caller: str, applied: list[AppliedPolicy], boundary: AppliedPolicy | None) -> Result:
    """Return a page of results of the actions of a request.

    `caller` is who makes the calls, where the request does not say.
    """
    resources = params.get("ResourceArns") or []
    _check_scenario(params.get("ResourceHandlingOption"), resources)
    principal = _make_principal(params.get("CallerArn") or caller)
    boundaries = _parse_inputs(params, "PermissionsBoundaryPolicyInputList")
    if len(boundaries) > 1:
        raise errors.invalid_input("There can be one permissions boundary only.")
    boundaries += _parse_applied([boundary] if boundary else [])
    document = params.get("ResourcePolicy")
    simulation = Simulation(
        principal,
        _parse_applied(applied) + _parse_inputs(params, "PolicyInputList"),
        boundaries[0] if boundaries else None,
        parse("ResourcePolicy", document, Usage.RESOURCE) if document else None,
        [
            _parse_inputs(level, "ServiceControlPolicyInputList")
            for level in params.get("OrderedOrganizationPolicyInputList") or ()
        ],
        _read_owner(params.get("ResourceOwner")) or principal.account,
        read_context(params.get("ContextEntries") or ()),
    )
    actions = params["ActionNames"]
    for action in actions:
        if not re.fullmatch(r"[A-Za-z0-9-]+:[A-Za-z0-9]+", action):
            raise errors.invalid_input(f"The action {action} is not valid: it must be as iam:CreateUser.")
    # Only what is on the page is worked out.
    numbers = {f"{number:06}": action for number, action in enumerate(actions)}
    page = paging.list_items(params, "EvaluationResults", numbers)
    page["EvaluationResults"] = [simulation.run(action, resources) for action in page["EvaluationResults"]]
    return page


def _make_principal(arn: str) -> Principal:
    """Return the user or role that a request is simulated for. Raises AwsError for others."""
    if arn.endswith(":user/"):
        return Principal("user", arn.split(":")[4], arn, "")
    caller = _CALLER.fullmatch(arn)
    if caller is None:
        raise errors.invalid_input(f"CallerArn {arn} is not the ARN of a user, group or role.")
    account, kind = caller.groups()
    if kind != "role":
        return Principal("user", account, arn, "")
    parts = Arn.parse(arn)
    name = parts.resource.rpartition("/")[2]
    session = str(Arn(parts.partition, "sts", "", account, f"assumed-role/{name}/simulation"))
    return Principal("assumed-role", account, session, "")


def _read_owner(text: str | None) -> str:
    """Return the account that a request names as the owner of resources. Raises AwsError for anything else."""
    found = re.fullmatch(r"(?:arn:[a-z-]+:iam::)?([0-9]{12})(?::root)?", text or "")
    if text and found is None:
        raise errors.invalid_input(f"ResourceOwner {text} is not an account.")
    return found[1] if found else ""


def _check_scenario(scenario: str | None, resources: list[str]) -> None:
    """Raise AwsError where resources are missing that a scenario asks for."""
    if scenario is None:
        return
    if scenario not in _SCENARIOS:
        raise errors.invalid_input(f"Invalid ResourceHandlingOption: {scenario}")
    given = {arn.split(":", 5)[-1].partition("/")[0] for arn in resources}
    if missing := [each for each in _SCENARIOS[scenario] if each not in given]:
        raise errors.invalid_input(f"The scenario {scenario} requires resources of the types: {', '.join(missing)}")


def _make_exclusion(params: Params) -> Callable[[AppliedPolicy], bool]:
    """Return whether a policy is among those that a request leaves out. Raises AwsError for ARNs that are none."""
    excluded = params.get("PolicyExclusionList") or []
    for each in excluded:
        if "PolicyArn" in each:
            managed.is_of_aws(each["PolicyArn"])

    def test(policy: AppliedPolicy) -> bool:
        return any(_is_meant(each, policy) for each in excluded)

    return test


def _is_meant(identifier: dict[str, Any], policy: AppliedPolicy) -> bool:
    """Whether an identifier means a policy: by all that it says."""
    type_ = {"inline": "inline", "boundary": "permission-boundary", "managed": "user-managed"}[policy.type]
    if policy.type == "managed" and managed.is_of_aws(policy.name):
        type_ = "aws-managed"
    inline = identifier.get("InlinePolicyIdentifier")
    if inline is not None:
        meant = (inline["AttachmentType"], inline["AttachmentName"], inline["PolicyName"])
        if policy.type != "inline" or meant != (policy.owner.kind, policy.owner.name, policy.name):
            return False
    is_of_type = identifier.get("PolicyType") in (None, type_)
    return bool(identifier) and is_of_type and fnmatchcase(policy.name, identifier.get("PolicyArn", "*"))


def _parse_inputs(params: Params, member: str) -> list[SourcePolicy]:
    """Return policies that a request gives as text."""
    return [parse(f"{member}.{number}", text) for number, text in enumerate(params.get(member) or (), 1)]


def _parse_applied(applied: list[AppliedPolicy]) -> list[SourcePolicy]:
    """Return policies that somebody has."""
    return [parse(each.name.rpartition("/")[2], each.document) for each in applied]
