"""Permissions for load balancers, where they are enforced."""

from __future__ import annotations

from typing import Any

from tests.services.elbv2.lb_cloud import OK
from tests.strict_accounts import Account, Caller, allow, is_denied


class Strict:
    """Load balancers of an account's root, in its default VPC."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self.elb: Any = account.client("elbv2")
        self.subnets = [each["SubnetId"] for each in account.client("ec2").describe_subnets()["Subnets"]][:2]

    def create(self, elb: Any, name: str, **more: Any) -> str:
        made = elb.create_load_balancer(Name=name, Subnets=self.subnets, Scheme="internal", **more)
        arn: str = made["LoadBalancers"][0]["LoadBalancerArn"]
        return arn

    def make_user(self, *resources: str, action: str = "elasticloadbalancing:*", **more: Any) -> Any:
        arns = [self.account.arn_of("elasticloadbalancing", each) for each in resources]
        user: Caller = self.account.user(allow(action, arns, **more))
        return user.client("elbv2")


def test_a_policy_admits_one_type_alone(strict_account: Account) -> None:
    strict = Strict(strict_account)
    strict.create(strict.elb, "role")
    elb = strict.make_user("loadbalancer/net/*")
    assert is_denied(strict.create, elb=elb, name="a")
    assert is_denied(strict.create, elb=elb, name="a", Type="application")
    strict.create(elb, "a", Type="network")


def test_a_policy_admits_one_load_balancer_alone(strict_account: Account) -> None:
    strict = Strict(strict_account)
    mine, other = (strict.create(strict.elb, name) for name in ("mine", "other"))
    elb = strict.make_user("loadbalancer/app/mine/*", "listener/app/mine/*", "listener-rule/app/mine/*")
    params = {"Protocol": "HTTP", "Port": 80, "DefaultActions": [OK]}
    listener = elb.create_listener(LoadBalancerArn=mine, **params)["Listeners"][0]["ListenerArn"]
    assert is_denied(elb.create_listener, LoadBalancerArn=other, **params)
    conditions = [{"Field": "path-pattern", "Values": ["/a"]}]
    rule = elb.create_rule(ListenerArn=listener, Priority=1, Conditions=conditions, Actions=[OK])["Rules"][0]["RuleArn"]
    elb.set_rule_priorities(RulePriorities=[{"RuleArn": rule, "Priority": 2}])
    elb.add_tags(ResourceArns=[listener, rule], Tags=[{"Key": "a", "Value": "b"}])
    assert is_denied(elb.add_tags, ResourceArns=[mine, other], Tags=[{"Key": "a", "Value": "b"}])
    elb.delete_load_balancer(LoadBalancerArn=mine)
    assert is_denied(elb.delete_load_balancer, LoadBalancerArn=other)


def test_conditions(strict_account: Account) -> None:
    strict = Strict(strict_account)
    balancer = strict.create(strict.elb, "web")
    strict.elb.add_tags(ResourceArns=[balancer], Tags=[{"Key": "team", "Value": "shop"}])
    keys = {"elasticloadbalancing:ListenerProtocol": "HTTPS"}
    elb = strict.make_user("loadbalancer/*", Condition={"StringEquals": keys})
    params = {"LoadBalancerArn": balancer, "Port": 80, "DefaultActions": [OK]}
    assert is_denied(elb.create_listener, Protocol="HTTP", **params)
    tagged = {"StringEquals": {"elasticloadbalancing:ResourceTag/team": "shop"}}
    owner = strict_account.user(allow("elasticloadbalancing:*", Condition=tagged), name="owner").client("elbv2")
    owner.create_listener(Protocol="HTTP", **params)
    other = strict.create(strict.elb, "other")
    assert is_denied(owner.create_listener, Protocol="HTTP", **{**params, "LoadBalancerArn": other})


def test_tags_at_creation_are_another_permission(strict_account: Account) -> None:
    strict = Strict(strict_account)
    strict.create(strict.elb, "role")
    elb = strict_account.user(
        allow("elasticloadbalancing:CreateLoadBalancer"),
        allow(
            "elasticloadbalancing:AddTags",
            Condition={"StringEquals": {"elasticloadbalancing:CreateAction": "CreateLoadBalancer"}},
        ),
    ).client("elbv2")
    tags = [{"Key": "a", "Value": "b"}]
    arn = strict.create(elb, "web", Tags=tags)
    assert is_denied(elb.add_tags, ResourceArns=[arn], Tags=tags)
    plain = strict_account.user(allow("elasticloadbalancing:CreateLoadBalancer"), name="plain").client("elbv2")
    assert is_denied(strict.create, elb=plain, name="other", Tags=tags)
