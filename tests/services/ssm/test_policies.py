"""Policies of parameters, which act by the cloud's clock. It stands until a test moves it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cloudlet.testing.server import Aws
from tests.refused import code_of
from tests.services.ssm.cloud import SsmCloud
from tests.standing import NOON, Standing, eventually

EXPIRATION = {"Type": "Expiration", "Version": "1.0", "Attributes": {"Timestamp": "2030-03-23T12:00:00.000Z"}}
"""Ten days after the clock stands at first."""


def _policy(kind: str, **attributes: str) -> dict[str, Any]:
    return {"Type": kind, "Version": "1.0", "Attributes": attributes}


def _before(amount: str, unit: str = "Days") -> dict[str, Any]:
    return _policy("ExpirationNotification", Before=amount, Unit=unit)


def _no_change(amount: str, unit: str = "Days") -> dict[str, Any]:
    return _policy("NoChangeNotification", After=amount, Unit=unit)


@pytest.fixture
def own(standing: Standing, account: Aws) -> SsmCloud:
    standing.freeze(NOON)
    return SsmCloud(account)


def _put(cloud: SsmCloud, *policies: dict[str, Any], **more: Any) -> None:
    cloud.put("/a", Policies=json.dumps(policies), **{"Tier": "Advanced", **more})


def _statuses(cloud: SsmCloud) -> list[tuple[str, str]]:
    (shown,) = cloud.ssm.describe_parameters()["Parameters"]
    return [(each["PolicyType"], each["PolicyStatus"]) for each in shown["Policies"]]


def test_a_parameter_is_deleted_when_it_expires(own: SsmCloud, standing: Standing) -> None:
    told, changed = own.told("Parameter Store Policy Action"), own.told("Parameter Store Change")
    _put(own, EXPIRATION)
    assert [event["detail"]["operation"] for event in own.bodies(changed)] == ["Create"]
    standing.advance("9d")
    assert own.value("/a") == "v"
    standing.advance("1d")
    assert eventually(own.described, lambda names: names == []) == []
    (event,) = own.bodies(told)
    assert (event["source"], event["resources"]) == ("aws.ssm", [own.arn("/a")])
    assert event["detail"]["parameter-name"] == "/a"
    assert event["detail"]["policy-type"] == "Expiration"
    assert json.loads(event["detail"]["policy-content"]) == EXPIRATION
    assert [event["detail"]["operation"] for event in own.bodies(changed)] == ["Delete"]


def test_notifications_come_before_a_parameter_expires(own: SsmCloud, standing: Standing) -> None:
    told = own.told("Parameter Store Policy Action")
    _put(own, EXPIRATION, _before("3"), _before("12", "Hours"))
    standing.advance("7d")
    eventually(lambda: _statuses(own)[1], lambda status: status == ("ExpirationNotification", "Finished"))
    assert _statuses(own)[0] == ("Expiration", "Pending")
    assert _statuses(own)[2] == ("ExpirationNotification", "Pending")
    (event,) = own.bodies(told)
    assert json.loads(event["detail"]["policy-content"]) == _before("3")
    own.update("/a", "w")
    assert _statuses(own)[1] == ("ExpirationNotification", "Finished"), "it is kept, and does not act again"
    standing.advance("2d12h")
    (event,) = own.bodies(told)
    assert json.loads(event["detail"]["policy-content"]) == _before("12", "Hours")


def test_an_update_has_the_time_without_changes_begin_anew(own: SsmCloud, standing: Standing) -> None:
    told = own.told("Parameter Store Policy Action")
    _put(own, _no_change("2"))
    standing.advance("1d")
    own.update("/a", "w")
    standing.advance("1d")
    own.update("/b", Type="String", Tier="Advanced", Policies=json.dumps([_no_change("1", "Hours")]))
    standing.advance("1h")
    (event,) = own.bodies(told)
    assert event["detail"]["parameter-name"] == "/b", "the other one was changed a day ago"
    standing.advance("23h")
    (event,) = own.bodies(told)
    assert (event["detail"]["parameter-name"], event["detail"]["policy-type"]) == ("/a", "NoChangeNotification")
    eventually(lambda: own.ssm.describe_parameters(), lambda shown: "Pending" not in json.dumps(shown, default=str))


def test_new_policies_take_the_place_of_those_before(own: SsmCloud, standing: Standing) -> None:
    _put(own, EXPIRATION)
    own.update("/a", Policies=json.dumps([_no_change("1")]))
    assert _statuses(own) == [("NoChangeNotification", "Pending")]
    own.update("/a", Policies="[{}]")
    assert _statuses(own) == []
    standing.advance("11d")
    assert own.value("/a") == "v"
    history = own.ssm.get_parameter_history(Name="/a")["Parameters"]
    assert [len(each["Policies"]) for each in history] == [1, 1, 0]


def test_policies_need_the_advanced_tier(own: SsmCloud) -> None:
    assert code_of(_put, own, EXPIRATION, Tier="Standard") == "ValidationException"
    _put(own, EXPIRATION, Tier="Intelligent-Tiering")
    assert own.ssm.describe_parameters()["Parameters"][0]["Tier"] == "Advanced"


@pytest.mark.parametrize(
    ("policies", "code"),
    [
        ("{", "ValidationException"),
        ("{}", "ValidationException"),
        ("[1]", "ValidationException"),
        (json.dumps([_policy("Nonsense")]), "InvalidPolicyTypeException"),
        (json.dumps([{**EXPIRATION, "Version": "2.0"}]), "InvalidPolicyAttributeException"),
        (json.dumps([{**EXPIRATION, "Attributes": "x"}]), "InvalidPolicyAttributeException"),
        (json.dumps([_policy("Expiration")]), "InvalidPolicyAttributeException"),
        (json.dumps([_policy("Expiration", Timestamp="2030-03-23T12:00:00")]), "InvalidPolicyAttributeException"),
        (json.dumps([_policy("Expiration", Timestamp="2030-03-13T11:00:00Z")]), "InvalidPolicyAttributeException"),
        (json.dumps([_no_change("x")]), "InvalidPolicyAttributeException"),
        (json.dumps([_no_change("0")]), "InvalidPolicyAttributeException"),
        (json.dumps([_no_change("1", "Weeks")]), "InvalidPolicyAttributeException"),
        (json.dumps([_before("1")]), "IncompatiblePolicyException"),
        (json.dumps([EXPIRATION, EXPIRATION]), "IncompatiblePolicyException"),
        (json.dumps([_no_change("1")] * 11), "PoliciesLimitExceededException"),
    ],
)
def test_policies_that_make_no_sense_are_refused(own: SsmCloud, policies: str, code: str) -> None:
    assert code_of(own.put, "/a", Tier="Advanced", Policies=policies) == code


def test_an_expiration_may_have_an_offset(own: SsmCloud, standing: Standing) -> None:
    _put(own, _policy("Expiration", Timestamp="2030-03-13T16:30:00.5+03:30:00"))
    standing.advance("1h1s")
    assert eventually(own.described, lambda names: names == []) == []
