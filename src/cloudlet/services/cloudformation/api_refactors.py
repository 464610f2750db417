"""The operations on stack refactors."""

from __future__ import annotations

from typing import Any, Final

from msgspec.structs import replace

from cloudlet.core import AwsError, Context, Params, Result, Transaction
from cloudlet.core.aws import listing
from cloudlet.core.aws.page_tokens import make_page_token, parse_name_token
from cloudlet.core.kernel.ids import uuid4
from cloudlet.services.cloudformation import api_stacks, errors, stacks, states
from cloudlet.services.cloudformation.block import service
from cloudlet.services.cloudformation.compiling import compile_target
from cloudlet.services.cloudformation.operations import preparing
from cloudlet.services.cloudformation.refactoring import executing, refactor_record
from cloudlet.services.cloudformation.refactoring.layout import find_moves
from cloudlet.services.cloudformation.refactoring.refactor_record import Move, Refactor, StackPlan
from cloudlet.services.cloudformation.stack_record import Stack, Target
from cloudlet.services.cloudformation.templates.parsing import parse_template

_CAPABILITIES: Final = ["CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]
_PAGE: Final = 100


@service.direct("CreateStackRefactor")
async def create_stack_refactor(ctx: Context, params: Params) -> Result:
    definitions = params["StackDefinitions"]
    names = [_get_name(one) for one in definitions]
    if len(set(names)) < len(names):
        raise errors.make_validation_error("StackDefinitions must have each stack once.")
    plans = [await _plan(ctx, params, one) for one in definitions]
    refactor = Refactor(ctx.account, ctx.region, uuid4(), ctx.now(), params.get("Description") or "", plans)
    mappings = _read_mappings(params, plans)

    async def create(tx: Transaction) -> Result:
        planned = await _find_moves(ctx, tx, refactor, mappings)
        refactor_record.save(tx, ctx.block.cloud.vault, planned)
        return {"StackRefactorId": planned.id}

    return await ctx.transact(create)


def _get_name(definition: Params) -> str:
    name: str = definition.get("StackName") or ""
    if not name:
        raise errors.make_validation_error("StackName must be specified for each stack definition.")
    return name


async def _plan(ctx: Context, params: Params, definition: Params) -> StackPlan:
    """Return what becomes of a stack. Raises AwsError."""
    name = _get_name(definition)

    async def find(tx: Transaction) -> tuple[Stack | None, Target | None]:
        found = await stacks.find_by_name(tx, ctx.account, ctx.region, name)
        if found is None or found.status == states.DELETED:
            return None, None
        return found, await stacks.find_target(tx, ctx.block.cloud.vault, found, found.target)

    stack, previous = await ctx.transact(find)
    if stack is None:
        if not params.get("EnableStackCreation"):
            raise errors.make_stack_not_found(name)
        api_stacks.check_name(name)
        stack = api_stacks.make_stack(ctx, {"StackName": name}, "")
    else:
        executing.check_plannable(stack)
    source = {key: definition[key] for key in ("TemplateBody", "TemplateURL") if definition.get(key)}
    text = await preparing.load_template(ctx, source, previous)
    known = {} if previous is None else previous.values
    given = [
        {"ParameterKey": key, "UsePreviousValue": True}
        for key in parse_template(text).get("Parameters", {})
        if key in known
    ]
    request = {**source, "Parameters": given, "Capabilities": _CAPABILITIES}
    target, _ = await preparing.prepare(ctx, stack, request, previous)
    if previous is not None:
        target = replace(target, capabilities=previous.capabilities)
    return StackPlan(stack, previous is None, target)


def _read_mappings(params: Params, plans: list[StackPlan]) -> dict[tuple[str, str], tuple[str, str]]:
    """Return the sources of resources that a request tells, by destinations. Raises AwsError."""
    ids = {key: plan.stack.id for plan in plans for key in (plan.stack.name, plan.stack.arn)}
    found = {}
    for one in params.get("ResourceMappings") or ():
        ends = []
        for end in (one["Destination"], one["Source"]):
            if end["StackName"] not in ids:
                raise errors.make_validation_error(
                    f"Stack [{end['StackName']}] of a resource mapping is not among the StackDefinitions."
                )
            ends.append((ids[end["StackName"]], str(end["LogicalResourceId"])))
        found[ends[0]] = ends[1]
    return found


async def _find_moves(
    ctx: Context, tx: Transaction, refactor: Refactor, mappings: dict[tuple[str, str], tuple[str, str]]
) -> Refactor:
    """Return a refactor with its moves, or with the reason why it cannot be."""
    compiled = {plan.stack.id: compile_target(plan.stack, plan.target) for plan in refactor.plans}
    try:
        moves = find_moves(compiled, await executing.list_all(tx, ctx, refactor.plans), mappings)
        if not moves:
            raise errors.make_validation_error("The refactor moves no resource.")
        planned = replace(refactor, moves=moves)
        layout = await executing.load_layout(tx, ctx, planned)
        layout.check_unchanged()
        await executing.check_exports(tx, planned, layout)
    except AwsError as error:
        return replace(refactor, status="CREATE_FAILED", reason=error.message, execution="UNAVAILABLE")
    return planned


async def _load(ctx: Context, tx: Transaction, params: Params) -> Refactor:
    """Return the refactor that a request names, obsolete where its stacks have changed. Raises AwsError."""
    found = await refactor_record.get(tx, ctx.block.cloud.vault, ctx.account, ctx.region, params["StackRefactorId"])
    if found.execution == "AVAILABLE" and await executing.is_obsolete(tx, found):
        return replace(found, execution="OBSOLETE", execution_reason="A stack was changed after this was created.")
    return found


@service.operation("ExecuteStackRefactor")
async def execute_stack_refactor(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await _load(ctx, tx, params)
    if found.execution != "AVAILABLE":
        raise errors.make_validation_error(
            f"Stack refactor [{found.id}] cannot be executed in its current execution status of [{found.execution}]"
        )
    await executing.execute(ctx, tx, found)
    refactor_record.save(tx, ctx.block.cloud.vault, replace(found, execution="EXECUTE_COMPLETE"))
    return {}


def _summarize(found: Refactor) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "StackRefactorId": found.id,
        "Status": found.status,
        "ExecutionStatus": found.execution,
    }
    optional = {
        "Description": found.description,
        "StatusReason": found.reason,
        "ExecutionStatusReason": found.execution_reason,
    }
    return shown | {key: value for key, value in optional.items() if value}


@service.operation("DescribeStackRefactor")
async def describe_stack_refactor(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await _load(ctx, tx, params)
    return {**_summarize(found), "StackIds": [plan.stack.arn for plan in found.plans]}


@service.operation("ListStackRefactors")
async def list_stack_refactors(ctx: Context, tx: Transaction, params: Params) -> Result:
    wanted = params.get("ExecutionStatusFilter")
    space, token = refactor_record.get_space(ctx.account, ctx.region), params.get("NextToken")
    limit = params.get("MaxResults") or _PAGE
    rows, following = await listing.list_rows(tx, space, token, limit, errors.make_wrong_token())
    shown = []
    for _, raw in rows:
        found = refactor_record.decode(ctx.block.cloud.vault, ctx.account, raw)
        found = await _load(ctx, tx, {"StackRefactorId": found.id})
        if not wanted or found.execution in wanted:
            shown.append(_summarize(found))
    return {"StackRefactorSummaries": shown, "NextToken": following}


@service.operation("ListStackRefactorActions")
async def list_stack_refactor_actions(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await _load(ctx, tx, params)
    names = {plan.stack.id: plan.stack.name for plan in found.plans}
    actions: list[dict[str, Any]] = [
        {
            "Action": "CREATE",
            "Entity": "STACK",
            "Description": f"Stack {plan.stack.name} will be created.",
            "Detection": "MANUAL",
        }
        for plan in found.plans
        if plan.is_new
    ]
    actions += [_describe_move(move, names) for move in found.moves]
    place = parse_name_token(params.get("NextToken"), errors.make_wrong_token()) or "0"
    if not place.isdigit():
        raise errors.make_wrong_token()
    first, limit = int(place), params.get("MaxResults") or _PAGE
    following = make_page_token(str(first + limit).encode()) if len(actions) > first + limit else None
    return {"StackRefactorActions": actions[first : first + limit], "NextToken": following}


def _describe_move(move: Move, names: dict[str, str]) -> dict[str, Any]:
    reason = "Resource mapping was detected by comparing templates." if move.is_detected else "Customer Provided"
    return {
        "Action": "MOVE",
        "Entity": "RESOURCE",
        "PhysicalResourceId": move.physical_id,
        "Description": f"Resource {move.source} of {names[move.source_stack]} becomes {move.name} of "
        f"{names[move.stack]}.",
        "Detection": "AUTO" if move.is_detected else "MANUAL",
        "DetectionReason": reason,
        "ResourceMapping": {
            "Source": {"StackName": names[move.source_stack], "LogicalResourceId": move.source},
            "Destination": {"StackName": names[move.stack], "LogicalResourceId": move.name},
        },
    }
