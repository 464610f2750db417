"""Delivery policies of HTTP endpoints: what is admitted, what is in effect, when an endpoint is tried again."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudlet.core import AwsError
from cloudlet.services.sns import delivery_policy
from cloudlet.services.sns.subscription import Subscription
from cloudlet.services.sns.topic_record import Topic

FULL = {
    "minDelayTarget": 1,
    "maxDelayTarget": 60,
    "numRetries": 50,
    "numNoDelayRetries": 3,
    "numMinDelayRetries": 2,
    "numMaxDelayRetries": 35,
    "backoffFunction": "exponential",
}
"""The example of the developer guide."""


def effective(own: Any = None, of_topic: Any = None) -> delivery_policy.SubscriptionPolicy:
    def attributes(policy: Any) -> dict[str, str]:
        return {} if policy is None else {"DeliveryPolicy": json.dumps(policy)}

    topic = Topic(1, "111111111111", "eu-west-1", "topic", 0, attributes(of_topic), {}, 1)
    subscribed = Subscription("id", topic.arn, "http", "http://a/", "", attributes(own), True, "", 0, False)
    return delivery_policy.of(topic, subscribed)


def delays(own: Any = None, of_topic: Any = None) -> list[float]:
    """Return the seconds before each retry."""
    found: list[float] = []
    while (pause := delivery_policy.delay(effective(own, of_topic), len(found) + 1)) is not None:
        found.append(pause)
    return found


def retries(**changes: Any) -> dict[str, Any]:
    return {"healthyRetryPolicy": changes}


def refusal(policy: Any) -> str:
    text = policy if isinstance(policy, str) else json.dumps(policy)
    with pytest.raises(AwsError) as caught:
        delivery_policy.check_subscription_policy(text)
    assert caught.value.code == "InvalidParameter"
    return caught.value.message


def test_three_retries_twenty_seconds_apart_is_the_default() -> None:
    assert delays() == [20.0, 20.0, 20.0]


def test_the_phases_follow_each_other() -> None:
    found = delays({"healthyRetryPolicy": FULL})
    assert found[:5] == [0.0, 0.0, 0.0, 1.0, 1.0]
    assert found[5] == 1.0
    assert found[14] == pytest.approx(60.0)
    assert found[15:] == [60.0] * 35
    factors = [later / earlier for earlier, later in pairwise(found[5:15])]
    assert factors == pytest.approx([60 ** (1 / 9)] * 9)


@pytest.mark.parametrize(
    ("function", "between"),
    [("linear", [4.0, 7.0]), ("arithmetic", [2.5, 5.5]), ("geometric", [1 + 9 / 7, 1 + 27 / 7]), ("exponential", None)],
)
def test_backoff_functions_lead_from_the_least_to_the_longest_delay(function: str, between: list[float] | None) -> None:
    found = delays(retries(minDelayTarget=1, maxDelayTarget=10, numRetries=4, backoffFunction=function))
    assert (found[0], found[-1]) == (1.0, 10.0)
    assert found[1:-1] == pytest.approx(between or [10 ** (1 / 3), 10 ** (2 / 3)])


@given(
    st.integers(1, 36),
    st.integers(0, 100),
    st.tuples(st.integers(0, 30), st.integers(0, 30), st.integers(0, 30)),
    st.sampled_from(["linear", "arithmetic", "geometric", "exponential"]),
)
def test_all_delays_are_within_the_targets_and_grow(
    longest: int, more: int, fixed: tuple[int, int, int], function: str
) -> None:
    count = min(100, sum(fixed) + more)
    policy = retries(
        minDelayTarget=1,
        maxDelayTarget=longest,
        numRetries=count,
        numNoDelayRetries=fixed[0],
        numMinDelayRetries=fixed[1],
        numMaxDelayRetries=fixed[2],
        backoffFunction=function,
    )
    delivery_policy.check_subscription_policy(json.dumps(policy))
    found = delays(policy)
    assert len(found) == count
    assert found[: fixed[0]] == [0.0] * fixed[0]
    rest = found[fixed[0] :]
    assert all(1.0 <= delay <= longest * 1.000001 for delay in rest)
    assert all(later >= earlier * 0.999999 for earlier, later in pairwise(rest))


def test_a_subscription_says_what_differs_from_its_topic() -> None:
    of_topic = {
        "http": {
            "defaultHealthyRetryPolicy": {"numRetries": 2, "minDelayTarget": 5},
            "defaultThrottlePolicy": {"maxReceivesPerSecond": 7},
            "defaultRequestPolicy": {"headerContentType": "application/json"},
        }
    }
    assert delays(None, of_topic) == [5.0, 20.0]
    assert delays(retries(maxDelayTarget=6), of_topic) == [5.0, 6.0]
    policy = effective(retries(numRetries=1), of_topic)
    assert delivery_policy.most_per_second(policy) == 7
    assert delivery_policy.content_type(policy) == "application/json"
    own = effective(
        {"throttlePolicy": {"maxReceivesPerSecond": 2}, "requestPolicy": {"headerContentType": "text/xml"}}, of_topic
    )
    assert delivery_policy.most_per_second(own) == 2
    assert delivery_policy.content_type(own) == "text/xml"


def test_a_topic_can_forbid_its_subscriptions_to_differ() -> None:
    of_topic = {"http": {"defaultHealthyRetryPolicy": {"numRetries": 1}, "disableSubscriptionOverrides": True}}
    assert delays({"healthyRetryPolicy": FULL}, of_topic) == [20.0]


def test_what_is_in_effect_is_shown_as_aws_shows_it() -> None:
    shown = {
        "minDelayTarget": 20,
        "maxDelayTarget": 20,
        "numRetries": 3,
        "numMaxDelayRetries": 0,
        "numNoDelayRetries": 0,
        "numMinDelayRetries": 0,
        "backoffFunction": "linear",
    }
    content = {"headerContentType": "text/plain; charset=UTF-8"}
    assert json.loads(delivery_policy.effective_topic_policy(None)) == {
        "http": {
            "defaultHealthyRetryPolicy": shown,
            "disableSubscriptionOverrides": False,
            "defaultRequestPolicy": content,
        }
    }
    of_subscription = delivery_policy.effective_subscription_policy(None, json.dumps(retries(numRetries=9)))
    assert json.loads(of_subscription) == {
        "healthyRetryPolicy": {**shown, "numRetries": 9},
        "sicklyRetryPolicy": None,
        "throttlePolicy": None,
        "requestPolicy": content,
        "guaranteed": False,
    }
    delivery_policy.check_subscription_policy(of_subscription)
    delivery_policy.check_topic_policy(delivery_policy.effective_topic_policy(None))


def test_aws_words_what_it_does_not_admit() -> None:
    assert refusal(retries(minDelayTarget=0)).endswith(
        "DeliveryPolicy: healthyRetryPolicy.minDelayTarget must be greater than or equal to 1"
    )
    assert "numRetries must be less than or equal to 100" in refusal(retries(numRetries=101))


@pytest.mark.parametrize(
    ("policy", "reason"),
    [
        ("{", "failed to parse JSON"),
        ("[]", "Expected `object`"),
        ({"http": {}}, "unknown field `http`"),
        (retries(numRetrys=1), "unknown field `numRetrys`"),
        (retries(numRetries="3"), "healthyRetryPolicy.numRetries: Expected `int`"),
        (retries(backoffFunction="cubic"), "healthyRetryPolicy.backoffFunction"),
        (retries(minDelayTarget=21), "maxDelayTarget must be greater than or equal to minDelayTarget"),
        (retries(numNoDelayRetries=4), "numRetries must be greater than or equal to"),
        (retries(numRetries=100, maxDelayTarget=100), "total retry time must be less than or equal to 3600"),
        ({"throttlePolicy": {"maxReceivesPerSecond": 0}}, "maxReceivesPerSecond must be greater than or equal to 1"),
        ({"requestPolicy": {"headerContentType": "image/png"}}, "'image/png' is not supported"),
        ({"requestPolicy": {"headerContentType": "text/plain\r\nx: y"}}, "is not supported"),
        ({"guaranteed": True}, "guaranteed must be false"),
    ],
)
def test_what_is_no_policy_is_refused(policy: Any, reason: str) -> None:
    assert reason in refusal(policy)


def test_a_topics_policy_is_of_http() -> None:
    with pytest.raises(AwsError, match=re.escape("http.defaultHealthyRetryPolicy.numRetries must be less")):
        delivery_policy.check_topic_policy(json.dumps({"http": {"defaultHealthyRetryPolicy": {"numRetries": 101}}}))
    with pytest.raises(AwsError, match=re.escape("http.defaultHealthyRetryPolicy.maxDelayTarget must be greater")):
        delivery_policy.check_topic_policy(json.dumps({"http": {"defaultHealthyRetryPolicy": {"minDelayTarget": 60}}}))
    with pytest.raises(AwsError, match=re.escape("http.defaultRequestPolicy.headerContentType")):
        delivery_policy.check_topic_policy(
            json.dumps({"http": {"defaultRequestPolicy": {"headerContentType": "text/plain; \n"}}})
        )
