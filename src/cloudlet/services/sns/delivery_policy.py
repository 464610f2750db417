"""Delivery policies of HTTP endpoints: when to try again, how many a second, and as what content.

Developer Guide, "Creating an HTTP/S delivery policy". What a subscription's policy leaves open, the topic's says; what
that leaves open, AWS's defaults. Of the backoff functions AWS publishes a graph only: here the delays lie on a straight
line (linear), grow by growing steps (arithmetic), by steps that double (geometric), or by a factor (exponential).
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import UNSET, Meta, UnsetType

from cloudlet.core import AwsError
from cloudlet.services.sns import errors
from cloudlet.services.sns.subscription import Subscription
from cloudlet.services.sns.topic_record import Topic

_TOTAL_SECONDS = 3_600
_RANGE = re.compile(r"Expected `int` (>=|<=) (\d+) - at `\$\.(.+)`")
_PLACE = re.compile(r"(.*) - at `\$\.(.+)`")
_CONTENT_TYPES = frozenset(
    (
        "application/atom+xml",
        "application/json",
        "application/octet-stream",
        "application/soap+xml",
        "application/x-www-form-urlencoded",
        "application/xhtml+xml",
        "application/xml",
        "text/css",
        "text/csv",
        "text/html",
        "text/plain",
        "text/xml",
    )
)
_PARAMETERS = re.compile(r"(\s*;\s*[\w-]+=[\w.+-]+)*")

_Seconds = Annotated[int, Meta(ge=1, le=_TOTAL_SECONDS)] | UnsetType
_Retries = Annotated[int, Meta(ge=0, le=100)] | UnsetType
S = TypeVar("S", bound=msgspec.Struct)


class RetryPolicy(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """How often and how long apart an endpoint that failed is tried again."""

    min_delay_target: _Seconds = UNSET
    max_delay_target: _Seconds = UNSET
    num_retries: _Retries = UNSET
    num_max_delay_retries: _Retries = UNSET
    num_no_delay_retries: _Retries = UNSET
    num_min_delay_retries: _Retries = UNSET
    backoff_function: Literal["linear", "arithmetic", "geometric", "exponential"] | UnsetType = UNSET


class ThrottlePolicy(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    max_receives_per_second: Annotated[int, Meta(ge=1)]


class RequestPolicy(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    header_content_type: str


class SubscriptionPolicy(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """The policy of a subscription, and what is in effect for one."""

    healthy_retry_policy: RetryPolicy | None = None
    sickly_retry_policy: None = None
    """As `guaranteed`, nothing but a member of what AWS shows, which must be admitted as it is shown."""
    throttle_policy: ThrottlePolicy | None = None
    request_policy: RequestPolicy | None = None
    guaranteed: bool = False


class HttpPolicy(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """What a topic's policy says of HTTP, the only protocol that has policies."""

    default_healthy_retry_policy: RetryPolicy | UnsetType = UNSET
    disable_subscription_overrides: bool = False
    default_throttle_policy: ThrottlePolicy | UnsetType = UNSET
    default_request_policy: RequestPolicy | UnsetType = UNSET


class TopicPolicy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    http: HttpPolicy


_DEFAULT_RETRIES = RetryPolicy(20, 20, 3, 0, 0, 0, "linear")
_DEFAULT_REQUEST = RequestPolicy("text/plain; charset=UTF-8")


def check_topic_policy(text: str) -> None:
    """Raise AwsError unless `text` may be a topic's DeliveryPolicy."""
    http = _decoded(text, TopicPolicy).http
    _check("http.default", http.default_healthy_retry_policy, http.default_request_policy)


def check_subscription_policy(text: str) -> None:
    """Raise AwsError unless `text` may be a subscription's DeliveryPolicy."""
    policy = _decoded(text, SubscriptionPolicy)
    if policy.guaranteed:
        raise _invalid("guaranteed must be false")
    _check("", policy.healthy_retry_policy, policy.request_policy)


def effective_topic_policy(text: str | None) -> str:
    """Return the EffectiveDeliveryPolicy of a topic with (or without) a DeliveryPolicy."""
    return msgspec.json.encode(TopicPolicy(_topic_policy(text))).decode()


def effective_subscription_policy(topic_text: str | None, text: str | None) -> str:
    """Return the EffectiveDeliveryPolicy of a subscription, of its and its topic's DeliveryPolicy."""
    return msgspec.json.encode(_effective(topic_text, text)).decode()


def of(topic: Topic, subscribed: Subscription) -> SubscriptionPolicy:
    """Return the policy that is in effect for a subscription."""
    return _effective(topic.attributes.get("DeliveryPolicy"), subscribed.attributes.get("DeliveryPolicy"))


def delay(policy: SubscriptionPolicy, failures: int) -> float | None:
    """Return the seconds to wait after so many failures, or None to give up."""
    retries: Any = policy.healthy_retry_policy
    if failures > retries.num_retries:
        return None
    if failures <= retries.num_no_delay_retries:
        return 0.0
    retry = failures - retries.num_no_delay_retries
    if retry <= retries.num_min_delay_retries:
        return float(retries.min_delay_target)
    retry -= retries.num_min_delay_retries
    backoff = _backoff_retries(retries)
    if retry > backoff:
        return float(retries.max_delay_target)
    return _backoff(retries.backoff_function, retries.min_delay_target, retries.max_delay_target, retry, backoff)


def content_type(policy: SubscriptionPolicy) -> str:
    """Return the Content-Type of notifications."""
    return (policy.request_policy or _DEFAULT_REQUEST).header_content_type


def most_per_second(policy: SubscriptionPolicy) -> float | None:
    """Return how many deliveries a second the endpoint can take, or None where nothing is said."""
    return None if policy.throttle_policy is None else float(policy.throttle_policy.max_receives_per_second)


def _backoff_retries(retries: Any) -> int:
    fixed = retries.num_no_delay_retries + retries.num_min_delay_retries + retries.num_max_delay_retries
    return max(0, int(retries.num_retries - fixed))


def _backoff(function: str, least: int, most: int, retry: int, count: int) -> float:
    """Return the delay before one of `count` retries: `least` before the first, `most` before the last."""
    if count == 1:
        return float(least)
    done, steps = retry - 1, count - 1
    if function == "exponential":
        return float(least * (most / least) ** (done / steps))
    if function == "arithmetic":
        way = done * (done + 1) / (steps * (steps + 1))
    elif function == "geometric":
        way = (2.0**done - 1) / (2.0**steps - 1)
    else:
        way = done / steps
    return least + (most - least) * way


@lru_cache(256)
def _topic_policy(text: str | None) -> HttpPolicy:
    """Return a topic's policy, with its defaults."""
    http = HttpPolicy() if text is None else _decoded(text, TopicPolicy).http
    return msgspec.structs.replace(
        http,
        default_healthy_retry_policy=_over(_DEFAULT_RETRIES, http.default_healthy_retry_policy or UNSET),
        default_request_policy=http.default_request_policy or _DEFAULT_REQUEST,
    )


@lru_cache(256)
def _effective(topic_text: str | None, text: str | None) -> SubscriptionPolicy:
    topic = _topic_policy(topic_text)
    own = SubscriptionPolicy()
    if text is not None and not topic.disable_subscription_overrides:
        own = _decoded(text, SubscriptionPolicy)
    return SubscriptionPolicy(
        healthy_retry_policy=_over(topic.default_healthy_retry_policy or _DEFAULT_RETRIES, own.healthy_retry_policy),
        throttle_policy=own.throttle_policy or topic.default_throttle_policy or None,
        request_policy=own.request_policy or topic.default_request_policy or None,
    )


def _over(base: S, changes: S | UnsetType | None) -> S:
    """Return a policy with what another one says in its place."""
    if changes is None or changes is UNSET:
        return base
    said = {name: value for name, value in msgspec.structs.asdict(changes).items() if value is not UNSET}
    return msgspec.structs.replace(base, **said)


def _decoded(text: str, policy: type[S]) -> S:
    try:
        return msgspec.json.decode(text, type=policy)
    except msgspec.ValidationError as error:
        raise _invalid(_worded(str(error))) from error
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise _invalid("failed to parse JSON") from error


def _worded(problem: str) -> str:
    """Return in AWS's words what is wrong with a policy."""
    found = _RANGE.fullmatch(problem)
    if found:
        return f"{found[3]} must be {'greater' if found[1] == '>=' else 'less'} than or equal to {found[2]}"
    found = _PLACE.fullmatch(problem)
    return f"{found[2]}: {found[1]}" if found else problem


def _check(where: str, retries: RetryPolicy | UnsetType | None, request: RequestPolicy | UnsetType | None) -> None:
    """Raise unless what is said of retries and of the content fits together."""
    if retries:
        name = f"{where}HealthyRetryPolicy" if where else "healthyRetryPolicy"
        _check_retries(name, _over(_DEFAULT_RETRIES, retries))
    if request:
        kind, _, _ = request.header_content_type.partition(";")
        parameters = request.header_content_type[len(kind) :]
        if kind.strip().lower() not in _CONTENT_TYPES or not _PARAMETERS.fullmatch(parameters):
            name = f"{where}RequestPolicy" if where else "requestPolicy"
            raise _invalid(f"{name}.headerContentType: {request.header_content_type!r} is not supported")


def _check_retries(name: str, retries: Any) -> None:
    if retries.min_delay_target > retries.max_delay_target:
        raise _invalid(f"{name}.maxDelayTarget must be greater than or equal to minDelayTarget")
    fixed = retries.num_no_delay_retries + retries.num_min_delay_retries + retries.num_max_delay_retries
    if fixed > retries.num_retries:
        raise _invalid(
            f"{name}.numRetries must be greater than or equal to numNoDelayRetries + numMinDelayRetries + "
            "numMaxDelayRetries"
        )
    policy = SubscriptionPolicy(healthy_retry_policy=retries)
    if sum([delay(policy, retry) or 0.0 for retry in range(1, retries.num_retries + 1)]) > _TOTAL_SECONDS:
        raise _invalid(f"{name}: the total retry time must be less than or equal to {_TOTAL_SECONDS} seconds")


def _invalid(reason: str) -> AwsError:
    return errors.invalid_parameter(f"DeliveryPolicy: {reason}")
