"""Operations on sampling rules, and those by which applications follow them."""

from __future__ import annotations

from cloudlet.core import Context, Params, Result, Transaction
from cloudlet.core.aws import tags
from cloudlet.services.xray import paging, sampling_rules, sampling_targets, tagging
from cloudlet.services.xray.block import service


@service.operation("CreateSamplingRule")
async def create_sampling_rule(ctx: Context, tx: Transaction, params: Params) -> Result:
    rule = sampling_rules.new(ctx, params["SamplingRule"])
    await sampling_rules.add(ctx, tx, rule)
    await tagging.add(tx, rule.arn, params.get("Tags") or [])
    return {"SamplingRuleRecord": rule.shown()}


@service.operation("UpdateSamplingRule")
async def update_sampling_rule(ctx: Context, tx: Transaction, params: Params) -> Result:
    given = params["SamplingRuleUpdate"]
    rule = await sampling_rules.find(ctx, tx, given.get("RuleName"), given.get("RuleARN"))
    return {"SamplingRuleRecord": sampling_rules.change(ctx, tx, rule, given).shown()}


@service.operation("DeleteSamplingRule")
async def delete_sampling_rule(ctx: Context, tx: Transaction, params: Params) -> Result:
    rule = await sampling_rules.find(ctx, tx, params.get("RuleName"), params.get("RuleARN"))
    sampling_rules.remove(ctx, tx, rule)
    sampling_targets.forget(ctx, tx, rule)
    tags.save(tx, rule.arn, {})
    return {"SamplingRuleRecord": rule.shown()}


@service.operation("GetSamplingRules")
async def get_sampling_rules(ctx: Context, tx: Transaction, params: Params) -> Result:
    paging.refuse(params.get("NextToken"))
    return {"SamplingRuleRecords": [rule.shown() for rule in await sampling_rules.listed(ctx, tx)]}


@service.operation("GetSamplingTargets")
async def get_sampling_targets(ctx: Context, tx: Transaction, params: Params) -> Result:
    rules = {rule.name: rule for rule in await sampling_rules.listed(ctx, tx)}
    told = params["SamplingStatisticsDocuments"]
    return {
        "SamplingTargetDocuments": [
            await sampling_targets.report(ctx, tx, rules[each["RuleName"]], each)
            for each in told
            if each["RuleName"] in rules
        ],
        "LastRuleModification": await sampling_rules.changed(ctx, tx),
        "UnprocessedStatistics": [
            {"RuleName": each["RuleName"], "ErrorCode": "400", "Message": "Unknown rule"}
            for each in told
            if each["RuleName"] not in rules
        ],
        "UnprocessedBoostStatistics": [
            {"RuleName": each["RuleName"], "ErrorCode": "400", "Message": "The rule has no sampling rate boost"}
            for each in params.get("SamplingBoostStatisticsDocuments") or []
        ],
    }


@service.operation("GetSamplingStatisticSummaries")
async def get_sampling_statistic_summaries(ctx: Context, tx: Transaction, params: Params) -> Result:
    paging.refuse(params.get("NextToken"))
    return {"SamplingStatisticSummaries": await sampling_targets.summaries(ctx, tx)}
