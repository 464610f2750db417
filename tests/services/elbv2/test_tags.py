"""Tags, and the limits of an account."""

from __future__ import annotations

from tests.services.elbv2.lb_cloud import NOTHING, LbCloud, fails


def test_all_resources_have_tags(cloud: LbCloud) -> None:
    balancer, group = cloud.create_arn(Tags=[{"Key": "a", "Value": "1"}]), cloud.create_group()
    listener = cloud.listen(balancer, group)["ListenerArn"]
    rule = cloud.add_rule(listener)["RuleArn"]
    default = cloud.elb.describe_rules(ListenerArn=listener)["Rules"][1]["RuleArn"]
    arns = [balancer, group, listener, rule, default]
    cloud.elb.add_tags(ResourceArns=arns, Tags=[{"Key": "b", "Value": "2"}])
    described = cloud.elb.describe_tags(ResourceArns=arns)["TagDescriptions"]
    assert [each["ResourceArn"] for each in described] == arns
    assert described[0]["Tags"] == [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}]
    assert all(each["Tags"] == [{"Key": "b", "Value": "2"}] for each in described[1:])
    cloud.elb.remove_tags(ResourceArns=arns, TagKeys=["b", "c"])
    assert cloud.elb.describe_tags(ResourceArns=[group])["TagDescriptions"][0]["Tags"] == []


def test_tags_that_are_not_admitted(cloud: LbCloud) -> None:
    group, add = cloud.create_group(), cloud.elb.add_tags
    twice = [{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}]
    fails("DuplicateTagKeys", add, ResourceArns=[group], Tags=twice)
    many = [{"Key": f"k{number}", "Value": ""} for number in range(51)]
    fails("TooManyTags", add, ResourceArns=[group], Tags=many)
    fails("ValidationError", add, ResourceArns=[group], Tags=[{"Key": "aws:a", "Value": ""}])
    fails("ValidationError", add, ResourceArns=["mine"], Tags=twice[:1])
    fails("ValidationError", cloud.elb.describe_tags, ResourceArns=[group] * 21)
    for kind, code in (
        ("loadbalancer/app/a/", "LoadBalancerNotFound"),
        (f"listener/app/a/{NOTHING}/", "ListenerNotFound"),
        (f"listener-rule/app/a/{NOTHING}/{NOTHING}/", "RuleNotFound"),
        ("targetgroup/a/", "TargetGroupNotFound"),
        ("truststore/a/", "TrustStoreNotFound"),
    ):
        arn = f"arn:aws:elasticloadbalancing:us-east-1:{cloud.account}:{kind}{NOTHING}"
        fails(code, cloud.elb.describe_tags, ResourceArns=[arn])


def test_the_limits_of_an_account(cloud: LbCloud) -> None:
    found = {each["Name"]: each["Max"] for each in cloud.elb.describe_account_limits()["Limits"]}
    assert found["rules-per-application-load-balancer"] == "100"
    page = cloud.elb.describe_account_limits(PageSize=2)
    assert len(page["Limits"]) == 2
    assert page["NextMarker"]
