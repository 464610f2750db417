"""Random sequences of calls on topics and subscriptions against a small model: lists, counts and quotas agree."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from cloudlet.core import Transaction
from cloudlet.core.kernel.identity import Principal
from cloudlet.services.sns import subscription
from tests.services.sns.cloud import ACCOUNT, OTHER, OWNER, REGION, STRANGER, LocalSns
from tests.sizes import examples

_DAYS_TO_CONFIRM = 2
_DAY, _HOUR = 86_400, 3_600
_NAMES = st.sampled_from(["orders", "returns"])
_CALLERS = st.sampled_from([OWNER, STRANGER])
_FILTERS = st.sampled_from(["", '{"kind":["book"]}'])
_ENDPOINTS = st.sampled_from([f"arn:aws:sqs:{REGION}:{account}:q{n}" for account in (ACCOUNT, OTHER) for n in range(3)])


@dataclass
class Expected:
    """A subscription as the model has it."""

    arn: str
    endpoint: str
    owner: str
    confirmed: bool
    filter: str
    expires: float

    @property
    def listed_arn(self) -> str:
        return self.arn if self.confirmed else "PendingConfirmation"


@dataclass
class Topic:
    arn: str
    subscriptions: dict[str, Expected] = field(default_factory=dict)
    """By endpoint."""
    deleted: int = 0


class Subscriptions(RuleBasedStateMachine):
    """Two accounts subscribe their own and each other's queues to topics of one of them."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.sns = LocalSns(Path(self.folder.name), "open")
        self.topics: dict[str, Topic] = {}

    def all(self, *, confirmed: bool | None = None) -> list[Expected]:
        return [
            expected
            for topic in self.topics.values()
            for expected in topic.subscriptions.values()
            if confirmed in (None, expected.confirmed)
        ]

    def topic_of(self, expected: Expected) -> Topic:
        return next(topic for topic in self.topics.values() if expected.arn.startswith(f"{topic.arn}:"))

    @rule(name=_NAMES)
    def create(self, name: str) -> None:
        arn = self.sns.call("CreateTopic", Name=name)["TopicArn"]
        self.topics.setdefault(name, Topic(arn))

    @precondition(lambda self: self.topics)
    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.topics)))
        self.sns.call("DeleteTopic", TopicArn=self.topics.pop(name).arn)

    @precondition(lambda self: self.topics)
    @rule(data=st.data(), by=_CALLERS, endpoint=_ENDPOINTS, filter=_FILTERS)
    def subscribe(self, data: st.DataObject, by: Principal, endpoint: str, filter: str) -> None:
        topic = self.topics[data.draw(st.sampled_from(sorted(self.topics)))]
        existing = topic.subscriptions.get(endpoint)
        attributes = {"FilterPolicy": existing.filter if existing else filter}
        params = {"TopicArn": topic.arn, "Protocol": "sqs", "Endpoint": endpoint, "Attributes": attributes}
        arn = self.sns.call("Subscribe", by=by, **params, ReturnSubscriptionArn=True)["SubscriptionArn"]
        expires = self.sns.clock.now() + _DAYS_TO_CONFIRM * _DAY
        if existing is None:
            confirmed = f":{by.account}:" in endpoint
            topic.subscriptions[endpoint] = Expected(arn, endpoint, by.account, confirmed, filter, expires)
        else:
            assert arn == existing.arn
            existing.expires = expires

    @precondition(lambda self: self.all(confirmed=False))
    @rule(data=st.data())
    def confirm(self, data: st.DataObject) -> None:
        expected = data.draw(st.sampled_from(self.all(confirmed=False)))
        token = self.sns.transact(lambda tx: _token_of(tx, expected.arn))
        topic = self.topic_of(expected)
        self.sns.call("ConfirmSubscription", TopicArn=topic.arn, Token=token)
        expected.confirmed = True

    @precondition(lambda self: self.all(confirmed=True))
    @rule(data=st.data(), by=_CALLERS)
    def unsubscribe(self, data: st.DataObject, by: Principal) -> None:
        expected = data.draw(st.sampled_from(self.all(confirmed=True)))
        self.sns.call("Unsubscribe", by=by, SubscriptionArn=expected.arn)
        topic = self.topic_of(expected)
        del topic.subscriptions[expected.endpoint]
        topic.deleted += 1

    @precondition(lambda self: self.all())
    @rule(data=st.data(), filter=_FILTERS)
    def change(self, data: st.DataObject, filter: str) -> None:
        expected = data.draw(st.sampled_from(self.all()))
        params = {"SubscriptionArn": expected.arn, "AttributeName": "FilterPolicy", "AttributeValue": filter}
        self.sns.call("SetSubscriptionAttributes", **params)
        expected.filter = filter

    @rule(days=st.integers(min_value=1, max_value=3))
    def wait(self, days: int) -> None:
        # Never to the second at which something expires.
        self.sns.advance(days * _DAY + _HOUR)
        now = self.sns.clock.now()
        for topic in self.topics.values():
            for expected in list(topic.subscriptions.values()):
                if not expected.confirmed and expected.expires < now:
                    del topic.subscriptions[expected.endpoint]
                    topic.deleted += 1

    @invariant()
    def lists_agree(self) -> None:
        arns = sorted(topic["TopicArn"] for topic in self.sns.call("ListTopics")["Topics"])
        assert arns == sorted(topic.arn for topic in self.topics.values())
        for by in (OWNER, STRANGER):
            listed = self.sns.call("ListSubscriptions", by=by)["Subscriptions"]
            mine = [expected for expected in self.all() if expected.owner == by.account]
            assert sorted((each["SubscriptionArn"], each["Endpoint"]) for each in listed) == sorted(
                (expected.listed_arn, expected.endpoint) for expected in mine
            )

    @invariant()
    def topics_agree(self) -> None:
        for topic in self.topics.values():
            expected = topic.subscriptions.values()
            listed = self.sns.call("ListSubscriptionsByTopic", TopicArn=topic.arn)["Subscriptions"]
            assert sorted((each["SubscriptionArn"], each["Endpoint"]) for each in listed) == sorted(
                (each.listed_arn, each.endpoint) for each in expected
            )
            shown = self.sns.call("GetTopicAttributes", TopicArn=topic.arn)["Attributes"]
            confirmed = sum(each.confirmed for each in expected)
            assert int(shown["SubscriptionsConfirmed"]) == confirmed
            assert int(shown["SubscriptionsPending"]) == len(expected) - confirmed
            assert int(shown["SubscriptionsDeleted"]) == topic.deleted

    @invariant()
    def quotas_agree(self) -> None:
        assert self.sns.transact(_quotas) == (
            len(self.all(confirmed=False)),
            sum(bool(expected.filter) for expected in self.all()),
        )

    def teardown(self) -> None:
        self.sns.close()
        self.folder.cleanup()


async def _token_of(tx: Transaction, arn: str) -> str:
    found = await subscription.find(tx, arn)
    assert found is not None
    return found[1].token


async def _quotas(tx: Transaction) -> tuple[int, int]:
    """Return how many subscriptions of the account count as pending, and as filtered."""
    pending = await tx.counter(subscription.pending_of_account(ACCOUNT, REGION))
    return pending, await tx.counter(subscription.filtered_of_account(ACCOUNT, REGION))


TestSubscriptions = Subscriptions.TestCase
TestSubscriptions.settings = settings(max_examples=examples(40), stateful_step_count=30)
