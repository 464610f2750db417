"""The permissions that calls needed, from what CloudTrail has recorded of them.

Records name members and operations in CloudTrail's way and hide secrets. What is hidden, or was left out, may have been
anything: `*` stands in its place.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import unquote, urlsplit

from cloudlet.core.authorization import catalog, enforcement, targets
from cloudlet.core.telemetry.audit.record import HIDDEN, lower_name
from cloudlet.wire import Operation
from cloudlet.wire.shapes import Shape

_MAX_NESTING_LEVELS: Final = 8
_SUFFIX: Final = re.compile(r"-[A-Za-z0-9]{6}$")
"""The end of a secret's ARN, which its name does not have."""
_STATEMENT: Final = re.compile(
    r"""\s*(?:(?P<select>SELECT)\b.*?\bFROM|(?P<insert>INSERT)\s+INTO|(?P<update>UPDATE)|(?P<delete>DELETE)\s+FROM)
    \s+(?P<table>"[^"]+"|[\w.-]+?)(?:\.(?P<index>"[^"]+"|[\w.-]+))?(?:\s|$)""",
    re.IGNORECASE | re.DOTALL | re.VERBOSE,
)
"""A statement of PartiQL."""
_TRANSACTION_ACTIONS: Final = {
    "ConditionCheck": "ConditionCheckItem",
    "Delete": "DeleteItem",
    "Put": "PutItem",
    "Update": "UpdateItem",
}
_COPIES: Final = ("CopyObject", "UploadPartCopy")

Params = dict[str, Any]


class Call(NamedTuple):
    """A recorded call of an operation of one of AWS's models."""

    model: str
    operation: Operation
    account: str
    region: str
    params: Params


class Permission(NamedTuple):
    """An action on a resource; for a role that is handed over, to which service."""

    action: str
    resource: str
    passed_to: str = ""


def read_params(operation: Operation, recorded: Any) -> Params:
    """Return the parameters of a call, named as in the model, from a record's `requestParameters`."""
    shape = operation.input_shape
    if shape is None or not recorded:
        return {}
    if recorded.get("omitted") is True:
        recorded = HIDDEN
    params: Params = _restore(shape, recorded)
    return params


def _restore(shape: Shape, recorded: Any, level: int = 0) -> Any:
    if recorded == HIDDEN:
        return _make_unknown(shape, level)
    if shape.kind == "structure" and isinstance(recorded, dict):
        names = ((name, lower_name(name), ref.shape) for name, ref in shape.members.items())
        return {
            name: _restore(each, recorded[lowered], level + 1)
            for name, lowered, each in names
            if recorded.get(lowered) is not None
        }
    if shape.kind == "list" and isinstance(recorded, list):
        return [_restore(shape.element.shape, each, level + 1) for each in recorded]
    if shape.kind == "map" and isinstance(recorded, dict):
        return {key: _restore(shape.value.shape, each, level + 1) for key, each in recorded.items()}
    return recorded


def _make_unknown(shape: Shape, level: int) -> Any:
    """Return a value of a shape of which nothing is known."""
    if level > _MAX_NESTING_LEVELS:
        return "*"
    if shape.kind == "structure":
        return {name: _make_unknown(ref.shape, level + 1) for name, ref in shape.members.items()}
    if shape.kind == "list":
        return [_make_unknown(shape.element.shape, level + 1)]
    if shape.kind == "map":
        return {"*": _make_unknown(shape.value.shape, level + 1)}
    return "*"


def list_permissions(call: Call) -> Iterator[Permission]:
    """Return the permissions that a call needed."""
    model, name = call.model, call.operation.name
    if not enforcement.needs_permission(model, name):
        return
    for role, service in enforcement.list_passed_roles(call, model, name, call.params):
        yield Permission("iam:PassRole", role, service)
    if model == "s3" and name in _COPIES:
        yield from _find_for_copy(call)
    elif model == "dynamodb" and (permissions := list(_find_for_items(call))):
        yield from permissions
    else:
        yield from _find_by_catalog(call._replace(params=_NORMALIZED.get(model, _keep)(call)))


def _find_by_catalog(call: Call) -> Iterator[Permission]:
    rule = catalog.find(call.model, call.operation.name)
    patterns = targets.list_resources(rule, call, call.operation, call.params)
    if rule.any_of:
        # One of them is enough: those of which most is known.
        unknown = [sum(arn.count("*") for arn in arns) for arns in patterns]
        patterns = [arns for arns, count in zip(patterns, unknown, strict=True) if count == min(unknown)]
    for action in enforcement.list_actions(call.model, call.operation.name, call.params):
        for arn in (arn for arns in patterns for arn in arns):
            yield Permission(action, arn)


def _find_for_copy(call: Call) -> Iterator[Permission]:
    """Return the permissions to read one object of S3, and to write another."""
    params = _escape_key(call)
    for action in enforcement.list_actions("s3", call.operation.name, {**params, "CopySource": ""}):
        if action != "s3:GetObject":
            yield Permission(action, f"arn:aws:s3:::{params['Bucket']}/{params['Key']}")
    source, _, version = str(params.get("CopySource", "*")).removeprefix("/").partition("?versionId=")
    path = "*/*" if source == "*" else _escape(unquote(source))
    yield Permission("s3:GetObjectVersion" if version else "s3:GetObject", f"arn:aws:s3:::{path}")


def _find_for_items(call: Call) -> Iterator[Permission]:
    """Return the permissions of calls about several items, or an index, of DynamoDB."""
    params = call.params
    statements = [params, *params.get("Statements", ()), *params.get("TransactStatements", ())]
    for statement in (each["Statement"] for each in statements if each.get("Statement")):
        yield from _find_for_statement(call, statement)
    for item in params.get("TransactItems", ()):
        for kind, action in _TRANSACTION_ACTIONS.items():
            if kind in item:
                yield Permission(f"dynamodb:{action}", _make_table_arn(call, item[kind].get("TableName", "*")))
    if params.get("IndexName"):
        table = _make_table_arn(call, params["TableName"])
        yield Permission(f"dynamodb:{call.operation.name}", f"{table}/index/{params['IndexName']}")


def _find_for_statement(call: Call, statement: str) -> Iterator[Permission]:
    parsed = _STATEMENT.match(statement)
    if parsed is None:
        for kind in ("Select", "Insert", "Update", "Delete"):
            yield Permission(f"dynamodb:PartiQL{kind}", _make_table_arn(call, "*"))
        return
    kind = next(each for each in ("select", "insert", "update", "delete") if parsed[each])
    arn = _make_table_arn(call, parsed["table"].strip('"'))
    index = f"/index/{parsed['index'].strip(chr(34))}" if parsed["index"] else ""
    yield Permission(f"dynamodb:PartiQL{kind.title()}", arn + index)


def _make_table_arn(call: Call, name: str) -> str:
    return name if name.startswith("arn:") else f"arn:aws:dynamodb:{call.region}:{call.account}:table/{name}"


def _keep(call: Call) -> Params:
    return call.params


def _resolve_queue(call: Call) -> Params:
    """Name a queue by its ARN rather than by its URL."""
    url = call.params.get("QueueUrl")
    if not url or url == "*":
        return call.params
    account, _, name = urlsplit(url).path.rpartition("/")
    account = account.rpartition("/")[2]
    arn = f"arn:aws:sqs:{call.region}:{account if account.isdecimal() else call.account}:{name}"
    return {**call.params, "QueueUrl": arn}


def _resolve_topic(call: Call) -> Params:
    target = call.params.get("TargetArn")
    return {**call.params, "TopicArn": target} if target else call.params


def _resolve_key(call: Call) -> Params:
    """Leave out aliases of keys: which keys they meant is not recorded."""
    key = str(call.params.get("KeyId", ""))
    return {**call.params, "KeyId": "*"} if key.startswith("alias/") or ":alias/" in key else call.params


def _resolve_secret(call: Call) -> Params:
    """Name secrets by their ARNs, which have six random characters after the name."""
    params = dict(call.params)
    for member in ("SecretId", "Name"):
        name = params.get(member)
        if not name or name == "*":
            continue
        is_whole = name.startswith("arn:")
        arn = name if is_whole else f"arn:aws:secretsmanager:{call.region}:{call.account}:secret:{name}"
        params[member] = arn if is_whole and _SUFFIX.search(arn) else f"{arn}-??????"
    return params


def _resolve_function(call: Call) -> Params:
    """Name a function with the version or alias that is called."""
    name, qualifier = call.params.get("FunctionName"), call.params.get("Qualifier")
    return {**call.params, "FunctionName": f"{name}:{qualifier}"} if name and qualifier else call.params


def _resolve_parameter(call: Call) -> Params:
    """Name parameters without the version or label that is asked for."""
    params = dict(call.params)
    name = params.get("Name")
    if name and not name.startswith("arn:"):
        params["Name"] = name.partition(":")[0]
    if "Names" in params:
        params["Names"] = [each if each.startswith("arn:") else each.partition(":")[0] for each in params["Names"]]
    return params


def _escape_key(call: Call) -> Params:
    """Escape what would be wildcards in keys of objects.

    IAM User Guide, "IAM policy elements: Variables and tags", on special characters.
    """
    params = dict(call.params)
    if params.get("Key") not in (None, "*"):
        params["Key"] = _escape(params["Key"])
    objects = (params.get("Delete") or {}).get("Objects")
    if objects:
        escaped = [{**each, "Key": _escape(each["Key"]) if each.get("Key") != "*" else "*"} for each in objects]
        params["Delete"] = {**params["Delete"], "Objects": escaped}
    return params


def _escape(text: str) -> str:
    return re.sub(r"[*?$]", lambda match: f"${{{match[0]}}}", text)


_NORMALIZED: Final[Mapping[str, Callable[[Call], Params]]] = {
    "kms": _resolve_key,
    "lambda": _resolve_function,
    "s3": _escape_key,
    "secretsmanager": _resolve_secret,
    "sns": _resolve_topic,
    "sqs": _resolve_queue,
    "ssm": _resolve_parameter,
}
"""By model: how members name resources in the way of the catalog's patterns."""
