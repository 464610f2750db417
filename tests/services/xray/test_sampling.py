"""Sampling rules, and how applications share what they allow."""

from __future__ import annotations

import secrets
import time
from typing import Any

from tests.refused import code_of

BAD = "InvalidRequestException"


def rule(name: str, **members: Any) -> dict[str, Any]:
    anything = dict.fromkeys(("ResourceARN", "ServiceName", "ServiceType", "Host", "HTTPMethod", "URLPath"), "*")
    base = {"RuleName": name, "Priority": 10, "FixedRate": 0.5, "ReservoirSize": 5, "Version": 1}
    return {**anything, **base, **members}


def test_the_default_rule(xray: Any) -> None:
    (record,) = xray.get_sampling_rules()["SamplingRuleRecords"]
    default = record["SamplingRule"]
    assert default["RuleARN"].endswith(":sampling-rule/Default")
    assert (default["Priority"], default["FixedRate"], default["ReservoirSize"]) == (10_000, 0.05, 1)
    assert {default[key] for key in ("ServiceName", "ServiceType", "Host", "HTTPMethod", "URLPath")} == {"*"}
    changed = xray.update_sampling_rule(SamplingRuleUpdate={"RuleName": "Default", "FixedRate": 1.0})
    assert changed["SamplingRuleRecord"]["SamplingRule"] == default | {"FixedRate": 1.0}
    (record,) = xray.get_sampling_rules()["SamplingRuleRecords"]
    assert record["SamplingRule"]["FixedRate"] == 1.0
    assert code_of(xray.update_sampling_rule, SamplingRuleUpdate={"RuleName": "Default", "Priority": 1}) == BAD
    assert code_of(xray.delete_sampling_rule, RuleName="Default") == BAD


def test_a_rule_is_made_changed_and_deleted(xray: Any) -> None:
    sent = rule("orders", Attributes={"tier": "gold"})
    record = xray.create_sampling_rule(SamplingRule=sent)["SamplingRuleRecord"]
    arn = record["SamplingRule"]["RuleARN"]
    assert record["SamplingRule"] == sent | {"RuleARN": arn}
    xray.create_sampling_rule(SamplingRule=rule("first", Priority=1))
    names = [each["SamplingRule"]["RuleName"] for each in xray.get_sampling_rules()["SamplingRuleRecords"]]
    assert names == ["first", "orders", "Default"]
    changed = xray.update_sampling_rule(SamplingRuleUpdate={"RuleARN": arn, "Host": "a.example.com"})
    assert changed["SamplingRuleRecord"]["SamplingRule"] == sent | {"RuleARN": arn, "Host": "a.example.com"}
    assert xray.list_tags_for_resource(ResourceARN=arn)["Tags"] == []
    assert xray.delete_sampling_rule(RuleARN=arn)["SamplingRuleRecord"]["SamplingRule"]["RuleName"] == "orders"
    assert code_of(xray.delete_sampling_rule, RuleARN=arn) == BAD


def test_what_is_refused_of_rules(xray: Any) -> None:
    xray.create_sampling_rule(SamplingRule=rule("r"))
    assert code_of(xray.create_sampling_rule, SamplingRule=rule("r")) == BAD
    assert code_of(xray.create_sampling_rule, SamplingRule=rule("Default")) == BAD
    assert code_of(xray.create_sampling_rule, SamplingRule=rule("v", Version=2)) == BAD
    boost = {"MaxRate": 1.0, "CooldownWindowMinutes": 1}
    assert code_of(xray.create_sampling_rule, SamplingRule=rule("b", SamplingRateBoost=boost)) == BAD
    for change in ({"Priority": 0}, {"Priority": 10_000}, {"FixedRate": 1.5}, {"ReservoirSize": -1}):
        assert code_of(xray.update_sampling_rule, SamplingRuleUpdate={"RuleName": "r", **change}) == BAD
    assert code_of(xray.update_sampling_rule, SamplingRuleUpdate={"FixedRate": 0.1}) == BAD
    assert code_of(xray.delete_sampling_rule) == BAD
    for index in range(24):
        xray.create_sampling_rule(SamplingRule=rule(f"r{index}"))
    assert code_of(xray.create_sampling_rule, SamplingRule=rule("too-many")) == "RuleLimitExceededException"


def report(xray: Any, client: str, *names: str) -> dict[str, Any]:
    documents = [
        {
            "RuleName": name,
            "ClientID": client,
            "Timestamp": time.time(),
            "RequestCount": 10,
            "SampledCount": 4,
            "BorrowCount": 1,
        }
        for name in names
    ]
    answer: dict[str, Any] = xray.get_sampling_targets(SamplingStatisticsDocuments=documents)
    return answer


def test_applications_share_a_reservoir(xray: Any) -> None:
    xray.create_sampling_rule(SamplingRule=rule("r", ReservoirSize=5))
    clients = [secrets.token_hex(12) for _ in range(3)]
    assert report(xray, clients[0], "r")["SamplingTargetDocuments"][0]["ReservoirQuota"] == 5
    for client in clients:
        report(xray, client, "r")
    targets = [report(xray, client, "r")["SamplingTargetDocuments"][0] for client in clients]
    assert sorted(each["ReservoirQuota"] for each in targets) == [1, 2, 2]
    assert {(each["FixedRate"], each["Interval"]) for each in targets} == {(0.5, 10)}


def test_what_was_sampled_is_told(xray: Any) -> None:
    answer = report(xray, secrets.token_hex(12), "Default", "missing")
    assert [each["RuleName"] for each in answer["SamplingTargetDocuments"]] == ["Default"]
    assert [each["RuleName"] for each in answer["UnprocessedStatistics"]] == ["missing"]
    report(xray, secrets.token_hex(12), "Default")
    told = xray.get_sampling_statistic_summaries()["SamplingStatisticSummaries"]
    assert {each["RuleName"] for each in told} == {"Default"}
    # A minute may have begun between the reports.
    assert sum(each["RequestCount"] for each in told) == 20
    assert sum(each["SampledCount"] for each in told) == 8
    assert sum(each["BorrowCount"] for each in told) == 2
