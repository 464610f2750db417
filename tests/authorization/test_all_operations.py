"""Every operation of every block, where permissions are enforced: nobody calls it whom no policy allows it.

One user has no policies, and is denied each call; another one has a policy that allows everything, and is denied none.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any, Final

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from cloudlet.core.kernel.cloud import list_blocks
from cloudlet.core.kernel.service import Handler
from tests.authorization.parameters import PARAMETERS
from tests.authorization.requests import fill, make_request
from tests.authorization.resources import MAKERS
from tests.strict_accounts import Account, Caller, allow

_CONFIG: Final = Config(
    retries={"max_attempts": 0}, inject_host_prefix=False, s3={"addressing_style": "path"}, parameter_validation=False
)
_DENIALS: Final = frozenset(
    {"AccessDenied", "AccessDeniedException", "AuthorizationError", "UnauthorizedOperation", "403"}
)
_BROKEN: Final = frozenset({500, 502, 503})

_UNCHECKED: Final = {
    "sts:AssumeRoleWithSAML": "proves itself by the assertion, and needs no keys",
    "sts:AssumeRoleWithWebIdentity": "proves itself by the token, and needs no keys",
    "sts:GetCallerIdentity": "needs no permission (API Reference)",
    "sts:GetSessionToken": "needs no permission (API Reference)",
}
"""Operations that policies do not decide, with the reason."""
_DENIED_TO_ALL: Final = {
    "iam:GetAccessKeyLastUsed": "there is no such key, which is told so",
    "sts:AssumeRole": "there is no such role, which is told so",
}
"""Operations that answer that access is denied for another reason."""
_BY_ENTRY: Final = {
    "dynamodb:BatchExecuteStatement": "each statement is about a table of its own",
    "s3:DeleteObjects": "each object is decided by itself",
}
"""Operations that succeed, with an error for each entry."""
_BY_TOKEN: Final = {
    "dynamodbstreams:GetRecords": "the iterator alone names the stream",
    "logs:GetQueryResults": "the query alone names the log groups",
    "logs:GetLogRecord": "the pointer alone names the log group",
}
"""Operations that are refused without a token of another answer, before anybody asks who calls."""
_TOLD_WHAT_IS_MISSING: Final = {
    "cloudtrail": "a query is looked up first, for its store",
    "events": "tags of what is not there",
    "logs": "a query is looked up first, for its log groups",
    "pipes": "tags of what is not there",
    "s3": "buckets have names that are nobody's own; AWS tells it, too",
    "scheduler": "tags of what is not there",
    "sns": "a topic is looked up first, for its policy",
    "sqs": "a queue is looked up first, for its policy",
}
"""Blocks that tell callers without permission, too, that something is not there."""
_MISSING: Final = ("NotFound", "NonExistent", "DoesNotExist", "NoSuch", "404")


_LET_THROUGH: Final = _UNCHECKED | _BY_TOKEN


def _list_operations(block: str) -> Iterator[Handler]:
    """Return the operations of a block that AWS's models have."""
    service = importlib.import_module(list_blocks()[block]).service
    yield from (handler for handler in service.handlers.values() if not handler.is_internal)


class _Clients:
    """The clients of somebody, by models."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller
        self._clients: dict[str, Any] = {}

    def get(self, model: str) -> Any:
        if model not in self._clients:
            self._clients[model] = self._caller.client(model, config=_CONFIG)
        return self._clients[model]

    def call(self, handler: Handler, params: dict[str, Any]) -> tuple[str, int]:
        """Make a call; return the code of its error ("" where there is none) and the HTTP status.

        Where each entry of an answer has an error, that of the entries.
        """
        try:
            answer = self.get(handler.model)._make_api_call(handler.name, params)
        except ClientError as error:
            return str(error.response["Error"]["Code"]), int(error.response["ResponseMetadata"]["HTTPStatusCode"])
        entries = [*answer.get("Errors", []), *(each.get("Error", {}) for each in answer.get("Responses", []))]
        codes = {each.get("Code", "") for each in entries}
        is_by_entry = f"{handler.model}:{handler.name}" in _BY_ENTRY and len(codes) == 1
        return codes.pop() if is_by_entry else "", int(answer["ResponseMetadata"]["HTTPStatusCode"])


def _make_parameters(clients: _Clients, handler: Handler, account: str) -> dict[str, Any] | None:
    """Return parameters for an operation; None for one that boto3 does not have: websites, forms."""
    model = clients.get(handler.model).meta.service_model
    if handler.name not in model.operation_names:
        return None
    made = make_request(model.operation_model(handler.name), handler.model, account)
    return {**made, **fill(PARAMETERS.get(f"{handler.model}:{handler.name}", {}), account)}


def _list_requests(block: str, clients: _Clients, account: str) -> Iterator[tuple[Handler, str, dict[str, Any]]]:
    """Return the operations of a block with their full names and parameters."""
    for handler in _list_operations(block):
        params = _make_parameters(clients, handler, account)
        if params is not None:
            yield handler, f"{handler.model}:{handler.name}", params


@pytest.mark.parametrize("block", list_blocks())
def test_calls_are_decided(strict_account: Account, block: str) -> None:
    """Where nothing is there that they are about."""
    nobody = _Clients(strict_account.user(name="nobody"))
    everybody = _Clients(strict_account.user(allow("*"), name="everybody"))
    wrong = []
    for handler, name, params in _list_requests(block, nobody, strict_account.number):
        code, status = nobody.call(handler, params)
        is_told = block in _TOLD_WHAT_IS_MISSING and any(word in code for word in _MISSING)
        if name not in _LET_THROUGH and code not in _DENIALS and not is_told:
            wrong.append(f"{name}: without permission {code or 'allowed'} ({status})")
        code, status = everybody.call(handler, params)
        if status in _BROKEN or (code in _DENIALS and name not in _DENIED_TO_ALL):
            wrong.append(f"{name}: with all permissions {code} ({status})")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("block", MAKERS)
def test_calls_about_what_is_there_are_denied(strict_account: Account, block: str) -> None:
    nobody = _Clients(strict_account.user(name="nobody"))
    members = MAKERS[block](strict_account)
    wrong = []
    for handler, name, params in _list_requests(block, nobody, strict_account.number):
        about = {member: members.get(member, value) for member, value in params.items()}
        code, status = nobody.call(handler, about)
        if name not in _LET_THROUGH and code not in _DENIALS:
            wrong.append(f"{name}: {code or 'allowed'} ({status})")
    assert not wrong, "\n".join(wrong)
