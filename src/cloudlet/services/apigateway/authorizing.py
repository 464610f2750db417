"""Lambda authorizers: whom a function lets in.

Developer guide, "Control access to HTTP APIs with AWS Lambda authorizers in API Gateway".

What a function has said of a caller is kept as long as the authorizer says, for as many callers as there is room.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from cloudlet.core import AwsError
from cloudlet.core.authorization.resource_policy import decide_by, is_admitted
from cloudlet.core.aws.policy import NamedPolicy, Policies, Policy, PolicyError, Request, Usage, evaluate
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.identity import Principal
from cloudlet.core.kernel.web import DataPlaneRequest
from cloudlet.services.apigateway import expressions, functions, invocation_context
from cloudlet.services.apigateway.answers import Refused
from cloudlet.services.apigateway.documents import Document, Place
from cloudlet.services.apigateway.integration_check import function_of
from cloudlet.store.recent import ABSENT, LruCache

_CACHED = 4000
_LARGEST_KEPT = 16 << 10
"""Who says more of himself, or of whom more is said, is asked about each time."""
_SECONDS = 10.0
"""An authorizer has no longer than this."""
Lookup = Callable[[str], "str | None"]
Keys = Mapping[str, "str | Sequence[str]"]
_NO_KEYS: Keys = {}


@dataclass(frozen=True, slots=True)
class AuthorizerResult:
    """What a function has said of a caller."""

    allowed: bool
    """Whether it lets him in; with a policy, that is the policy's to say."""
    policy: Policy | None
    context: dict[str, Any]
    principal_id: str
    usage_key: str = ""
    """The API key that it takes the caller's requests for."""
    document: str = ""
    """The policy as the function has said it."""
    size: int = 0
    """Of the function's answer, in bytes."""


class FunctionAuthorizer:
    """A compiled authorizer of the type REQUEST."""

    def __init__(self, part: Document, variables: dict[str, str]) -> None:
        self.function = function_of(expressions.with_stage_variables(part.get("AuthorizerUri", ""), variables))
        self.id: str = part["AuthorizerId"]
        self.sources = [source.removeprefix("$").removeprefix("route.") for source in part.get("IdentitySource") or ()]
        self.payload: str = part.get("AuthorizerPayloadFormatVersion") or "1.0"
        self.is_simple = bool(part.get("EnableSimpleResponses"))
        self._role: str = part.get("AuthorizerCredentialsArn") or ""
        self._seconds: int = part.get("AuthorizerResultTtlInSeconds") or 0
        self._known = LruCache(_CACHED)

    def identity(self, lookup: Lookup) -> list[str] | None:
        """Return the values of the identity sources; None where one is missing."""
        values = [lookup(source) for source in self.sources]
        return [value or "" for value in values] if all(values) else None

    def known(self, identity: list[str], now: float) -> AuthorizerResult | None:
        """Return what the function has said of a caller, if that still holds."""
        if not self._seconds:
            return None
        kept = self._known.get(tuple(identity))
        if kept is ABSENT or kept[0] <= now:
            return None
        verdict: AuthorizerResult = kept[1]
        return verdict

    def keep(self, identity: list[str], verdict: AuthorizerResult, now: float) -> None:
        if self._seconds and sum(map(len, identity)) + verdict.size <= _LARGEST_KEPT:
            self._known.add(tuple(identity), (now + self._seconds, verdict))

    async def ask(self, block: Block, place: Place, api_arn: str, event: dict[str, Any]) -> AuthorizerResult:
        """Call the function. Raises Refused where it gives no verdict."""
        source = f"{api_arn}/authorizers/{self.id}"
        try:
            payload = await functions.invoke(
                block, self.function, msgspec.json.encode(event), place.account, source, _SECONDS, role=self._role
            )
        except functions.Failed as failed:
            if '"Unauthorized"' in failed.error:
                raise unauthorized("the authorizer has refused") from failed
            raise misconfigured(f"{failed} {failed.error}".strip()) from failed
        return replace(_read(payload, self.is_simple), size=len(payload))


def unauthorized(reason: str) -> Refused:
    """Nobody says who he is."""
    return Refused(401, "Unauthorized", "UNAUTHORIZED", reason=reason)


def forbidden(reason: str) -> Refused:
    """He may not do it."""
    return Refused(403, "Forbidden", "ACCESS_DENIED", reason=reason)


def misconfigured(reason: str) -> Refused:
    """The authorizer itself has failed."""
    return Refused(500, "Internal Server Error", "AUTHORIZER_CONFIGURATION_ERROR", reason=reason)


def _read(payload: bytes, is_simple: bool) -> AuthorizerResult:
    try:
        answer = msgspec.json.decode(payload)
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict):
        raise misconfigured("the authorizer's answer is not an object")
    context = answer.get("context") or {}
    if not isinstance(context, dict):
        raise misconfigured("the context in the authorizer's answer is not an object")
    if is_simple:
        allowed = answer.get("isAuthorized")
        if not isinstance(allowed, bool):
            raise misconfigured("the authorizer's answer does not say isAuthorized")
        return AuthorizerResult(allowed, None, context, "")
    document = answer.get("policyDocument")
    principal = answer.get("principalId")
    if not isinstance(document, dict) or not isinstance(principal, str):
        raise misconfigured("the authorizer's answer has no policyDocument, or no principalId")
    try:
        text = msgspec.json.encode(document).decode()
        policy = _parse_policy(document)
    except PolicyError as error:
        raise misconfigured(f"the authorizer's policy is not valid: {error}") from error
    return AuthorizerResult(True, policy, context, principal, str(answer.get("usageIdentifierKey") or ""), text)


async def admit_signer(
    block: Block, place: Place, visit: DataPlaneRequest, request_id: str, headers: Mapping[str, str], arn: str
) -> Principal:
    """Return who has signed a request, and may make it. Raises Refused.

    His own policies decide: APIs of the second version have none that would let in others than their account's.
    """
    try:
        found = await invocation_context.identify(block, visit)
    except AwsError as error:
        raise forbidden(error.message) from error
    if found is None:
        raise forbidden("the request is not signed")
    context = invocation_context.make(block, place, visit, request_id, headers, *found)
    if not is_admitted(context, "execute-api:Invoke", arn, place.account):
        raise forbidden(decide_by(context, "execute-api:Invoke", arn, place.account, None).message)
    return found[0]


def _parse_policy(document: dict[str, Any]) -> Policy:
    """Return an authorizer's policy. Raises PolicyError.

    Statements about an empty list of resources let nobody in: Chalice's way to say so.
    """
    statements = document.get("Statement")
    if isinstance(statements, list):
        said = [each for each in statements if not (isinstance(each, dict) and each.get("Resource") == [])]
        if statements and not said:
            return Policy("2012-10-17", "", (), Usage.IDENTITY)
        document = {**document, "Statement": said}
    return Policy.parse(msgspec.json.encode(document).decode(), Usage.IDENTITY)


def admits(
    verdict: AuthorizerResult, place: Place, arn: str, resource: NamedPolicy | None = None, keys: Keys = _NO_KEYS
) -> bool:
    """Whether a verdict lets a caller call a method; of an API with a policy (`resource`), whether both together do."""
    if verdict.policy is None:
        return verdict.allowed
    request = Request(_caller(place), "execute-api:Invoke", arn, keys, place.account)
    policies = Policies(identity=(NamedPolicy("authorizer", verdict.policy),), resource=resource)
    return evaluate(request, policies).allowed


def _caller(place: Place) -> Principal:
    """Return whom the policy of an authorizer is about: it was written for one caller, who is of the API's account."""
    arn = f"arn:aws:iam::{place.account}:user/caller"
    return Principal("user", place.account, arn, "caller")
