"""Permissions on buses and rules, by users and roles of IAM, and of rules by their roles."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.refused import code_of, refused
from tests.standing import eventually
from tests.strict_accounts import REGION, Account, Caller, allow, deny, document, is_denied

_PATTERN = json.dumps({"source": ["shop"]})


class Bus:
    """A bus, made by the root of its account."""

    def __init__(self, account: Account, name: str = "b") -> None:
        self.account = account
        self.name = name
        self.root: Any = account.client("events")
        self.arn: str = self.root.create_event_bus(Name=name)["EventBusArn"]

    def let(self, *statements: dict[str, Any]) -> None:
        """Give the bus a policy."""
        policy = document(*({"Resource": self.arn, **each} for each in statements))
        self.root.put_permission(EventBusName=self.name, Policy=policy)

    def entry(self, source: str = "shop") -> dict[str, str]:
        return {"Source": source, "DetailType": "t", "Detail": "{}", "EventBusName": self.arn}

    def refuses(self, caller: Caller, source: str = "shop") -> bool:
        """Whether a caller of the bus's account may not put an event."""
        return is_denied(caller.client("events").put_events, Entries=[self.entry(source)])

    def rule_arn(self, name: str) -> str:
        return self.account.arn_of("events", f"rule/{self.name}/{name}")


@pytest.fixture
def bus(strict_account: Account) -> Bus:
    return Bus(strict_account)


def _granted(arn: str, action: str = "events:PutEvents") -> dict[str, Any]:
    return {"Effect": "Allow", "Principal": {"AWS": arn}, "Action": action}


def test_a_user_whom_no_policy_allows_is_refused(bus: Bus) -> None:
    user = bus.account.user()
    assert refused(user.client("events").put_events, Entries=[bus.entry()]) == (
        "AccessDeniedException",
        f"User: {user.arn} is not authorized to perform: events:PutEvents on resource: {bus.arn} "
        "because no identity-based policy allows the events:PutEvents action",
    )
    missing = {**bus.entry(), "EventBusName": "missing"}
    assert code_of(user.client("events").put_events, Entries=[missing]) == "AccessDeniedException"
    wrong = {**bus.entry(), "Detail": "no JSON"}
    assert user.client("events").put_events(Entries=[wrong])["FailedEntryCount"] == 1


def test_an_identity_based_policy_allows(bus: Bus) -> None:
    user = bus.account.user(allow("events:PutEvents", bus.arn))
    assert not bus.refuses(user)
    assert Bus(bus.account, "c").refuses(user)
    assert code_of(user.client("events").describe_event_bus, Name="b") == "AccessDeniedException"


def test_an_explicit_denial_outweighs_all(bus: Bus) -> None:
    user = bus.account.user(allow("events:*"), deny("events:PutEvents", bus.arn))
    bus.let(_granted(user.arn))
    assert bus.refuses(user)
    bob = bus.account.user(allow("events:*"), name="bob")
    assert not bus.refuses(bob)
    bus.let({**_granted(bob.arn), "Effect": "Deny"})
    assert bus.refuses(bob)


def test_the_buss_policy_alone_lets_in_a_user_of_its_account(bus: Bus) -> None:
    user = bus.account.user()
    bus.let(_granted(bus.account.arn))
    assert bus.refuses(user)
    bus.let(_granted(user.arn))
    assert not bus.refuses(user)


def test_a_boundary_and_a_session_policy_limit(bus: Bus) -> None:
    account = bus.account
    assert bus.refuses(account.user(allow("events:*"), boundary=allow("events:Put*Rule")))
    user = account.user(allow("sts:AssumeRole"), name="bob")
    role = account.role({"AWS": user.arn}, allow("events:*"))
    assert not bus.refuses(account.assume(role, user))
    assert bus.refuses(account.assume(role, user, allow("events:PutRule")))


def test_both_accounts_have_to_let_in_a_stranger(bus: Bus, other_account: Account) -> None:
    def put(caller: Caller) -> str | None:
        (answer,) = caller.client("events").put_events(Entries=[bus.entry()])["Entries"]
        code: str | None = answer.get("ErrorCode")
        return code

    user = other_account.user(allow("events:*"))
    assert put(user) == "AccessDeniedException"
    bus.let(_granted(other_account.arn))
    assert put(user) is None
    assert put(other_account.user(name="bob")) == "AccessDeniedException"


def test_a_bus_lets_strangers_keep_rules_of_their_own(bus: Bus, other_account: Account) -> None:
    """User guide, "Example policy: Send events to the same account and restrict updates"."""
    actions = ["events:PutRule", "events:DescribeRule", "events:DeleteRule"]
    own = {"StringEqualsIfExists": {"events:creatorAccount": "${aws:PrincipalAccount}", "events:source": "shop"}}
    granted = {"Effect": "Allow", "Principal": {"AWS": other_account.number}, "Action": actions, "Condition": own}
    bus.let({**granted, "Resource": bus.rule_arn("*")})
    events = other_account.user(allow("events:*")).client("events")
    of = {"EventBusName": bus.arn}
    assert code_of(events.put_rule, Name="r", EventPattern='{"source":["other"]}', **of) == "AccessDeniedException"
    events.put_rule(Name="r", EventPattern=_PATTERN, **of)
    assert events.describe_rule(Name="r", **of)["CreatedBy"] == other_account.number
    bus.root.put_rule(Name="theirs", EventPattern=_PATTERN, EventBusName="b")
    assert code_of(events.delete_rule, Name="theirs", **of) == "AccessDeniedException"
    events.delete_rule(Name="r", **of)


def test_permissions_speak_of_rules_by_their_arns(strict_account: Account) -> None:
    default, own = strict_account.arn_of("events", "rule/r"), strict_account.arn_of("events", "rule/b/r")
    Bus(strict_account)
    actions = ["events:PutRule", "events:PutTargets", "events:DescribeRule", "events:EnableRule"]
    events = strict_account.user(allow(actions, default)).client("events")
    events.put_rule(Name="r", EventPattern=_PATTERN)
    assert code_of(events.put_rule, Name="s", EventPattern=_PATTERN) == "AccessDeniedException"
    assert code_of(events.put_rule, Name="r", EventPattern=_PATTERN, EventBusName="b") == "AccessDeniedException"
    assert code_of(events.list_rules) == "AccessDeniedException"
    assert code_of(events.delete_rule, Name="missing") == "AccessDeniedException"
    bob = strict_account.user(allow(actions, own), allow("events:ListRules"), name="bob").client("events")
    bob.put_rule(Name="r", EventPattern=_PATTERN, EventBusName="b")
    bob.enable_rule(Name="r", EventBusName="b")
    assert code_of(bob.disable_rule, Name="r", EventBusName="b") == "AccessDeniedException"
    assert len(bob.list_rules()["Rules"]) == 1


def test_events_sources_targets_and_tags_take_part(bus: Bus) -> None:
    account = bus.account
    source = {"StringEquals": {"events:source": "shop", "events:detail-type": "t"}}
    user = account.user(allow("events:PutEvents", Condition=source))
    assert not bus.refuses(user)
    assert bus.refuses(user, "other")
    queue = account.arn_of("sqs", "q")
    put = allow("events:PutTargets", Condition={"ForAllValues:ArnEquals": {"events:TargetArn": queue}})
    patterns = allow("events:PutRule", Condition={"ForAllValues:StringEquals": {"events:source": ["shop"]}})
    events = account.user(put, patterns, name="bob").client("events")
    assert code_of(events.put_rule, Name="r", EventPattern='{"source":[{"prefix":""}]}') == "AccessDeniedException"
    events.put_rule(Name="r", EventPattern=_PATTERN)
    events.put_targets(Rule="r", Targets=[{"Id": "1", "Arn": queue}])
    others = [{"Id": "1", "Arn": queue}, {"Id": "2", "Arn": f"{queue}2"}]
    assert code_of(events.put_targets, Rule="r", Targets=others) == "AccessDeniedException"
    bus.root.tag_resource(ResourceARN=bus.arn, Tags=[{"Key": "team", "Value": "blue"}])
    blue = allow(
        ["events:PutEvents", "events:TagResource"], Condition={"StringEquals": {"aws:ResourceTag/team": "blue"}}
    )
    carol = account.user(blue, name="carol")
    assert not bus.refuses(carol)
    carol.client("events").tag_resource(ResourceARN=bus.arn, Tags=[{"Key": "team", "Value": "red"}])
    assert bus.refuses(carol)


def test_a_role_is_handed_over_by_those_who_may_to_a_service_that_it_trusts(strict_account: Account) -> None:
    role = strict_account.service_role("events")
    rule = {"Name": "r", "EventPattern": _PATTERN}
    events = strict_account.user(allow("events:*")).client("events")
    assert "iam:PassRole" in refused(events.put_rule, **rule, RoleArn=role)[1]
    passing = allow("iam:PassRole", Condition={"StringEquals": {"iam:PassedToService": "events.amazonaws.com"}})
    bob = strict_account.user(allow("events:*"), passing, name="bob").client("events")
    bob.put_rule(**rule, RoleArn=role)
    for wrong in (role + "x", strict_account.service_role("lambda", name="other")):
        message = f"Provided role '{wrong}' cannot be assumed by principal 'events.amazonaws.com'."
        assert refused(bob.put_rule, **rule, RoleArn=wrong) == ("ValidationException", message)
        target = {"Id": "1", "Arn": strict_account.arn_of("sqs", "q"), "RoleArn": wrong}
        assert refused(bob.put_targets, Rule="r", Targets=[target]) == ("ValidationException", message)


class Delivering:
    """A rule with a target, and a queue for what does not arrive there."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self.events: Any = account.client("events")
        self.sqs: Any = account.client("sqs")
        self.rule: str = self.events.put_rule(Name="r", EventPattern=_PATTERN)["RuleArn"]
        let = {**allow("sqs:SendMessage"), "Principal": {"Service": "events.amazonaws.com"}}
        self.dead = self.queue("dead", Policy=document(let))

    def queue(self, name: str, **attributes: str) -> str:
        return str(self.sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"])

    def aim(self, arn: str, **more: Any) -> None:
        letters = {"Arn": self.account.arn_of("sqs", "dead")}
        target = {"Id": "1", "Arn": arn, "DeadLetterConfig": letters, **more}
        self.events.put_targets(Rule="r", Targets=[target])

    def put(self) -> None:
        self.events.put_events(Entries=[{"Source": "shop", "DetailType": "t", "Detail": "{}"}])

    def receive(self, url: str) -> dict[str, Any]:
        """Return what comes to a queue."""
        asked = {"QueueUrl": url, "WaitTimeSeconds": 1, "MessageAttributeNames": ["All"]}
        found = eventually(lambda: self.sqs.receive_message(**asked).get("Messages", []), lambda found: found)
        self.sqs.delete_message(QueueUrl=url, ReceiptHandle=found[0]["ReceiptHandle"])
        message: dict[str, Any] = found[0]
        return message

    def failure(self) -> tuple[str, str]:
        """Return the code and the message of what comes to the dead-letter queue."""
        told = self.receive(self.dead)["MessageAttributes"]
        return told["ERROR_CODE"]["StringValue"], told["ERROR_MESSAGE"]["StringValue"]


@pytest.fixture
def delivering(strict_account: Account) -> Delivering:
    return Delivering(strict_account)


def test_a_rule_sends_to_a_queue_by_the_role_of_its_target(delivering: Delivering) -> None:
    account = delivering.account
    role = account.service_role("events")
    url = delivering.queue("q")
    delivering.aim(account.arn_of("sqs", "q"), RoleArn=role)
    delivering.put()
    code, message = delivering.failure()
    assert code == "NO_PERMISSIONS"
    assert "assumed-role/r/EventBridge is not authorized to perform: sqs:sendmessage" in message
    account.let_role(allow("sqs:SendMessage", account.arn_of("sqs", "q")))
    delivering.put()
    assert json.loads(delivering.receive(url)["Body"])["source"] == "shop"


def test_a_role_that_trusts_the_service_for_a_rule_alone(delivering: Delivering) -> None:
    """User guide, "Cross-service confused deputy prevention"."""
    account = delivering.account
    condition = {"StringEquals": {"aws:SourceAccount": account.number}, "ArnEquals": {"aws:SourceArn": delivering.rule}}
    role = account.role({"Service": "events.amazonaws.com"}, allow("sqs:*"), condition=condition)
    url = delivering.queue("q")
    delivering.aim(account.arn_of("sqs", "q"), RoleArn=role)
    delivering.put()
    delivering.receive(url)
    delivering.events.put_rule(Name="other", EventPattern=_PATTERN)
    target = {"Id": "1", "Arn": account.arn_of("sqs", "q"), "RoleArn": role}
    assert code_of(delivering.events.put_targets, Rule="other", Targets=[target]) == "ValidationException"


def test_a_rule_hands_events_on_by_the_role_of_its_target(delivering: Delivering, other_account: Account) -> None:
    account = delivering.account
    bus = Bus(other_account)
    role = account.service_role("events")
    assert code_of(delivering.aim, bus.arn, RoleArn=role) == "AccessDeniedException"
    bus.let(_granted(role))
    delivering.aim(bus.arn, RoleArn=role)
    delivering.put()
    assert "events:PutEvents" in delivering.failure()[1]
    sqs = other_account.client("sqs")
    let = {**allow("sqs:SendMessage"), "Principal": {"Service": "events.amazonaws.com"}}
    url = sqs.create_queue(QueueName="q", Attributes={"Policy": document(let)})["QueueUrl"]
    bus.root.put_rule(Name="r", EventPattern=_PATTERN, EventBusName="b")
    target = {"Id": "1", "Arn": other_account.arn_of("sqs", "q")}
    bus.root.put_targets(Rule="r", EventBusName="b", Targets=[target])
    by_bus = {"StringEquals": {"events:eventBusInvocation": "true", "events:source": "shop"}}
    account.let_role(allow("events:PutEvents", bus.arn, Condition=by_bus))
    delivering.put()
    found = eventually(
        lambda: sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1).get("Messages", []), lambda found: found
    )
    assert json.loads(found[0]["Body"])["account"] == account.number


def test_an_api_destination_is_invoked_by_a_role_that_may(delivering: Delivering) -> None:
    account, events = delivering.account, delivering.events
    basic = {"BasicAuthParameters": {"Username": "u", "Password": "p"}}
    connection = events.create_connection(Name="c", AuthorizationType="BASIC", AuthParameters=basic)["ConnectionArn"]
    nowhere = "http://127.0.0.1:9/"
    made = {"Name": "d", "ConnectionArn": connection, "InvocationEndpoint": nowhere, "HttpMethod": "POST"}
    arn = events.create_api_destination(**made)["ApiDestinationArn"]
    role = account.service_role("events")
    delivering.aim(arn, RoleArn=role, RetryPolicy={"MaximumRetryAttempts": 0})
    delivering.put()
    code, message = delivering.failure()
    assert (code, "events:InvokeApiDestination" in message) == ("NO_PERMISSIONS", True)
    account.let_role(allow("events:InvokeApiDestination", arn))
    delivering.put()
    assert delivering.failure()[0] != "NO_PERMISSIONS"


def test_rules_are_made_where_the_user_may(strict_account: Account) -> None:
    elsewhere = f"arn:aws:events:eu-west-1:{strict_account.number}:rule/*"
    events = strict_account.user(allow("events:PutRule", elsewhere)).client("events")
    assert events.meta.region_name == REGION
    assert code_of(events.put_rule, Name="r", EventPattern=_PATTERN) == "AccessDeniedException"
