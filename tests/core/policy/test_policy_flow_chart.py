"""The evaluator against the flow charts of the IAM User Guide, written down plainly and once more.

Sections "How AWS enforcement code logic evaluates requests to allow or deny access" and "Cross-account policy
evaluation logic". The model below shares no code with the evaluator: it takes policies as JSON has them.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from functools import cache
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudlet.core.aws.policy import Guardrail, Layer, NamedPolicy, Policies, Policy, Request, Usage, evaluate

Statement = dict[str, Any]
Document = list[Statement]

HERE, THERE = "111111111111", "222222222222"
ROLE = f"arn:aws:iam::{HERE}:role/worker"
USER = f"arn:aws:iam::{HERE}:user/bob"


@dataclass(frozen=True)
class Who:
    kind: str
    account: str
    arn: str
    issuer: str = ""
    """The role of a session, or the user who has made a federated one."""


CALLERS = (
    Who("root", HERE, f"arn:aws:iam::{HERE}:root"),
    Who("user", HERE, USER),
    Who("assumed-role", HERE, f"arn:aws:sts::{HERE}:assumed-role/worker/monday", ROLE),
    Who("federated-user", HERE, f"arn:aws:sts::{HERE}:federated-user/fay", USER),
    Who("service", "", "sns.amazonaws.com"),
    Who("anonymous", "", ""),
)


@dataclass(frozen=True)
class Case:
    """A request, and all policies that apply to it."""

    who: Who
    owner: str
    action: str
    resource: str
    tag: str | None
    identity: list[Document] = field(default_factory=list)
    boundary: Document | None = None
    session: list[Document] = field(default_factory=list)
    bucket: Document | None = None
    """The policy of the resource."""
    scps: list[Document] = field(default_factory=list)
    rcps: list[Document] = field(default_factory=list)
    is_key: bool = False
    """Whether the resource's policy is the only way in, as for a KMS key."""


# --- The guide's flow chart ---------------------------------------------------------------------------


def is_allowed(case: Case) -> bool:
    """Decide a request as the guide tells it, step by step."""
    who, is_of_account = case.who, bool(case.who.account)
    applying = [*case.identity, *case.session, *case.rcps, *(case.scps if is_of_account else ())]
    if case.boundary is not None:
        applying.append(case.boundary)
    # "Deny evaluation": an explicit deny in any of the applicable policies.
    if any(_says(document, "Deny", case) for document in applying):
        return False
    if case.bucket is not None and any(_denies(statement, case) for statement in case.bucket):
        return False
    # "Organizations RCPs" and "Organizations SCPs": each has to allow.
    if not all(_says(document, "Allow", case) for document in case.rcps):
        return False
    if is_of_account and not all(_says(document, "Allow", case) for document in case.scps):
        return False
    # "Resource-based policies": whom do those name that allow?
    named = set[str]()
    for statement in case.bucket or ():
        if statement["Effect"] == "Allow" and _fits(statement, case):
            named |= _list_names(statement["Principal"])
    names_everybody_or_caller = "*" in named or (who.arn and who.arn in named and who.kind != "root")
    names_issuer = bool(who.issuer) and who.issuer in named
    names_account = is_of_account and bool({who.account, f"arn:aws:iam::{who.account}:root"} & named)
    if not is_of_account:
        return bool(names_everybody_or_caller)
    is_granted = bool(names_everybody_or_caller or names_issuer or names_account)
    if who.account == case.owner:
        # Within an account, the table "Resource-based policies and implicit denies in other policy types".
        if names_everybody_or_caller:
            return True
        if case.is_key and not is_granted:
            return False
        return _is_allowed_by_own(case, names_issuer)
    # "Cross-account": the trusting account and the trusted one, each by itself.
    return is_granted and _is_allowed_by_own(case, False)


def _is_allowed_by_own(case: Case, names_issuer: bool) -> bool:
    """Steps "Identity-based policies", "Permissions boundaries" and "Session policies"."""
    if case.who.kind == "root":
        return True
    if not names_issuer and not any(_says(document, "Allow", case) for document in case.identity):
        return False
    if case.boundary is not None and not _says(case.boundary, "Allow", case):
        return False
    needs_session = bool(case.session) or case.who.kind == "federated-user"
    return not needs_session or any(_says(document, "Allow", case) for document in case.session)


def _says(document: Document, effect: str, case: Case) -> bool:
    return any(statement["Effect"] == effect and _fits(statement, case) for statement in document)


def _denies(statement: Statement, case: Case) -> bool:
    """Whether a resource's policy denies: it means the caller, its role or user, or its account."""
    who = case.who
    mine = {"*", who.arn, who.issuer, who.account, f"arn:aws:iam::{who.account}:root" if who.account else ""} - {""}
    return statement["Effect"] == "Deny" and bool(mine & _list_names(statement["Principal"])) and _fits(statement, case)


def _list_names(principal: Any) -> set[str]:
    return {"*"} if principal == "*" else set(principal.values())


def _fits(statement: Statement, case: Case) -> bool:
    """Whether action, resource and condition of a statement are those of the request."""
    if not any(_matches(pattern, case.action, re.IGNORECASE) for pattern in statement["Action"]):
        return False
    is_about = any(
        _matches(pattern, case.resource) for pattern in statement.get("Resource") or statement["NotResource"]
    )
    if is_about is ("NotResource" in statement):
        return False
    wanted = statement.get("Condition", {})
    if "StringEquals" in wanted:
        return case.tag == wanted["StringEquals"]["aws:PrincipalTag/team"]
    if "StringNotEquals" in wanted:
        return case.tag != wanted["StringNotEquals"]["aws:PrincipalTag/team"]
    return True


def _matches(pattern: str, text: str, flags: int = 0) -> bool:
    return re.fullmatch(re.escape(pattern).replace(r"\*", ".*").replace(r"\?", "."), text, flags) is not None


# --- Policies and requests ----------------------------------------------------------------------------

ACTIONS = ("s3:GetObject", "s3:PutObject")
RESOURCES = ("arn:aws:s3:::b/one", "arn:aws:s3:::b/two")
PRINCIPALS: tuple[Any, ...] = (
    "*",
    {"AWS": HERE},
    {"AWS": f"arn:aws:iam::{HERE}:root"},
    {"AWS": THERE},
    {"AWS": USER},
    {"AWS": ROLE},
    {"AWS": CALLERS[2].arn},
    {"AWS": CALLERS[3].arn},
    {"Service": "sns.amazonaws.com"},
    {"Service": "sqs.amazonaws.com"},
)
_lists = st.lists(
    st.sampled_from(("*", "*", "s3:*", "S3:Get*", "s3:PutObject", "s3:?utObject")), min_size=1, max_size=2
)
_resources = st.lists(
    st.sampled_from(("*", "*", "arn:aws:s3:::b/*", *RESOURCES, "arn:aws:s3:::b/t?o")), min_size=1, max_size=2
)
_conditions = (
    st.just({})
    | st.just({})
    | st.builds(
        lambda operator, team: {"Condition": {operator: {"aws:PrincipalTag/team": team}}},
        st.sampled_from(("StringEquals", "StringNotEquals")),
        st.sampled_from(("red", "blue")),
    )
)


def _make_statement(effect: str, actions: list[str], element: str, resources: list[str], more: Statement) -> Statement:
    return {"Effect": effect, "Action": actions, element: resources, **more}


# Most statements allow: where something denies, the rest of the chart is not seen.
_effects = st.sampled_from(("Allow",) * 19 + ("Deny",))
_elements = st.sampled_from(("Resource",) * 9 + ("NotResource",))
statements = st.builds(_make_statement, _effects, _lists, _elements, _resources, _conditions)
for_somebody = st.builds(
    lambda one, principal: {**one, "Principal": principal}, statements, st.sampled_from(PRINCIPALS)
)
documents = st.lists(statements, min_size=1, max_size=3)
several = st.lists(documents, max_size=2)
rails = st.just([]) | st.just([]) | several
cases = st.builds(
    Case,
    st.sampled_from(CALLERS),
    st.sampled_from((HERE, THERE)),
    st.sampled_from(ACTIONS),
    st.sampled_from(RESOURCES),
    st.sampled_from((None, "red", "blue")),
    several,
    st.none() | documents,
    several,
    st.none() | st.lists(for_somebody, min_size=1, max_size=4),
    rails,
    rails,
    st.booleans(),
)


def _parse(document: Document, usage: Usage = Usage.IDENTITY) -> NamedPolicy:
    return _parse_text(json.dumps({"Version": "2012-10-17", "Statement": document}), usage)


@cache
def _parse_text(text: str, usage: Usage) -> NamedPolicy:
    return NamedPolicy("p", Policy.parse(text, usage))


def _evaluate(case: Case) -> bool:
    rails = [*((Layer.SCP, each) for each in case.scps), *((Layer.RCP, each) for each in case.rcps)]
    policies = Policies(
        identity=tuple(map(_parse, case.identity)),
        boundary=None if case.boundary is None else _parse(case.boundary),
        session=tuple(map(_parse, case.session)),
        resource=None if case.bucket is None else _parse(case.bucket, Usage.RESOURCE),
        guardrails=tuple(Guardrail(layer, (_parse(document),)) for layer, document in rails),
        resource_must_allow=case.is_key,
    )
    keys = {} if case.tag is None else {"aws:PrincipalTag/team": case.tag}
    issuer = case.who.issuer if case.who.kind == "federated-user" else ""
    request = Request(case.who, case.action, case.resource, keys, case.owner, federated_by=issuer)
    return evaluate(request, policies).allowed


ALLOW: Document = [{"Effect": "Allow", "Action": ["*"], "Resource": ["*"]}]
SILENT: Document = [{"Effect": "Allow", "Action": ["sqs:*"], "Resource": ["*"]}]
STATES: tuple[Document | None, ...] = (None, ALLOW, SILENT)


@pytest.mark.parametrize("owner", [HERE, THERE])
@pytest.mark.parametrize("who", CALLERS, ids=lambda who: who.kind)
def test_each_way_through_the_chart(who: Who, owner: str) -> None:
    """Each layer is absent, allows, or says nothing; the resource's policy names all that it may name."""
    buckets = [None, *([{**ALLOW[0], "Principal": principal}] for principal in PRINCIPALS)]
    for identity, boundary, session, scp, rcp, bucket, is_key in product(*[STATES] * 5, buckets, (False, True)):
        layers = ([each] if each else [] for each in (identity, session, scp, rcp))
        identities, sessions, scps, rcps = layers
        request = (who, owner, ACTIONS[0], RESOURCES[0], None)
        case = Case(*request, identities, boundary, sessions, bucket, scps, rcps, is_key)
        assert _evaluate(case) is is_allowed(case), case


@settings(max_examples=300)
@given(cases)
def test_policies_of_all_sorts(case: Case) -> None:
    assert _evaluate(case) is is_allowed(case)
