"""Rules: their conditions, actions, transforms and priorities."""

from __future__ import annotations

from typing import Any

import pytest

from tests.services.elbv2.lb_cloud import NOTHING, OK, LbCloud, fails, forward, tells
from tests.services.elbv2.test_listeners import import_certificate, listen_securely


@pytest.fixture
def listener(cloud: LbCloud) -> str:
    arn: str = cloud.listen(cloud.create_arn())["ListenerArn"]
    return arn


@pytest.fixture
def secure_listener(cloud: LbCloud) -> str:
    arn: str = listen_securely(cloud, cloud.create_arn(), import_certificate(cloud))["ListenerArn"]
    return arn


def test_a_rule_is_created_and_shown(cloud: LbCloud, listener: str) -> None:
    made = cloud.add_rule(listener, 5, "/img/*", Tags=[{"Key": "a", "Value": "b"}])
    assert made["RuleArn"].startswith(listener.replace(":listener/", ":listener-rule/") + "/")
    assert (made["Priority"], made["IsDefault"], made["Actions"], made["Transforms"]) == ("5", False, [OK], [])
    assert made["Conditions"] == [
        {"Field": "path-pattern", "Values": ["/img/*"], "PathPatternConfig": {"Values": ["/img/*"]}}
    ]
    assert cloud.elb.describe_rules(RuleArns=[made["RuleArn"]])["Rules"] == [made]
    first = cloud.add_rule(listener, 2)
    priorities = [each["Priority"] for each in cloud.elb.describe_rules(ListenerArn=listener)["Rules"]]
    assert priorities == ["2", "5", "default"]
    page = cloud.elb.describe_rules(ListenerArn=listener, PageSize=1)
    assert [each["RuleArn"] for each in page["Rules"]] == [first["RuleArn"]]
    rest = cloud.elb.describe_rules(ListenerArn=listener, Marker=page["NextMarker"])["Rules"]
    assert [each["Priority"] for each in rest] == ["5", "default"]


def test_a_priority_has_one_rule(cloud: LbCloud, listener: str) -> None:
    made = cloud.add_rule(listener, 1)
    assert cloud.add_rule(listener, 1) == made
    fails("PriorityInUse", cloud.add_rule, listener, 1, "/b")
    fails("ValidationError", cloud.add_rule, listener, 50001)


CONDITIONS: dict[str, dict[str, Any]] = {
    "host": {"Field": "host-header", "HostHeaderConfig": {"Values": ["*.example.com"]}},
    "host by regular expression": {"Field": "host-header", "HostHeaderConfig": {"RegexValues": ["^a.*\\.com$"]}},
    "path": {"Field": "path-pattern", "PathPatternConfig": {"Values": ["/a/?", "/b*"]}},
    "header": {"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": "X-A", "Values": ["b*"]}},
    "method": {"Field": "http-request-method", "HttpRequestMethodConfig": {"Values": ["GET", "HEAD"]}},
    "query": {"Field": "query-string", "QueryStringConfig": {"Values": [{"Key": "v", "Value": "1"}, {"Value": "x"}]}},
    "source": {"Field": "source-ip", "SourceIpConfig": {"Values": ["10.0.0.0/8", "2001:db8::/32"]}},
}


@pytest.mark.parametrize("condition", CONDITIONS.values(), ids=CONDITIONS)
def test_conditions(cloud: LbCloud, listener: str, condition: dict[str, Any]) -> None:
    (found,) = cloud.add_rule(listener, Conditions=[condition])["Conditions"]
    (member,) = [name for name in condition if name != "Field"]
    assert (found["Field"], found[member]) == (condition["Field"], condition[member])


WRONG_CONDITIONS: dict[str, list[dict[str, Any]]] = {
    "none": [],
    "an unknown field": [{"Field": "cookie", "Values": ["a"]}],
    "no values": [{"Field": "path-pattern", "PathPatternConfig": {}}],
    "another field's values": [{"Field": "path-pattern", "HostHeaderConfig": {"Values": ["a.b"]}}],
    "both kinds of values": [{"Field": "path-pattern", "Values": ["/a"], "RegexValues": ["^/a$"]}],
    "a host without a dot": [{"Field": "host-header", "Values": ["example"]}],
    "a host that ends with a digit": [{"Field": "host-header", "Values": ["example.c0"]}],
    "a path with a blank": [{"Field": "path-pattern", "Values": ["/a b"]}],
    "a long path": [{"Field": "path-pattern", "Values": ["/" + "a" * 128]}],
    "a lower-case method": [{"Field": "http-request-method", "HttpRequestMethodConfig": {"Values": ["get"]}}],
    "an address that is no block": [{"Field": "source-ip", "SourceIpConfig": {"Values": ["10.0.0.1"]}}],
    "the host as a header": [
        {"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": "Host", "Values": ["a.b"]}}
    ],
    "a query without a value": [{"Field": "query-string", "QueryStringConfig": {"Values": [{"Key": "a"}]}}],
    "a regular expression that looks ahead": [{"Field": "path-pattern", "RegexValues": ["(?=a)"]}],
    "a regular expression that refers to a group": [{"Field": "path-pattern", "RegexValues": ["(a)\\1"]}],
    "a regular expression that gives nothing back": [{"Field": "path-pattern", "RegexValues": ["a*+b"]}],
    "a regular expression of many": [{"Field": "path-pattern", "RegexValues": ["a{1001}"]}],
    "a broken regular expression": [{"Field": "path-pattern", "RegexValues": ["("]}],
    "two hosts": [{"Field": "host-header", "Values": ["a.b"]}, {"Field": "host-header", "Values": ["c.d"]}],
    "six values": [{"Field": "path-pattern", "PathPatternConfig": {"Values": [f"/{each}" for each in range(6)]}}],
    "seven wildcards": [{"Field": "path-pattern", "Values": ["/*?*?*?*"]}],
    "a type of addresses": [
        {"Field": "source-ip", "SourceIpConfig": {"Values": ["10.0.0.0/8"], "IpAddressType": "ipv4"}}
    ],
}


@pytest.mark.parametrize("conditions", WRONG_CONDITIONS.values(), ids=WRONG_CONDITIONS)
def test_conditions_that_are_not_admitted(cloud: LbCloud, listener: str, conditions: list[dict[str, Any]]) -> None:
    fails("ValidationError", cloud.add_rule, listener, Conditions=conditions)


def test_regular_expressions_have_no_wildcards(cloud: LbCloud, listener: str) -> None:
    cloud.add_rule(
        listener, Conditions=[{"Field": "path-pattern", "RegexValues": ["^/(.*)/(.*)/(.*)/(a?)(b?)(c?)(d?)$"]}]
    )


def test_network_load_balancers_have_no_rules(cloud: LbCloud) -> None:
    balancer, group = cloud.create_arn(Type="network"), cloud.create_group(Protocol="TCP")
    arn = cloud.listen(balancer, group, Protocol="TCP")["ListenerArn"]
    fails("InvalidConfigurationRequest", cloud.add_rule, arn)


def redirect(**config: str) -> dict[str, Any]:
    return {"Type": "redirect", "RedirectConfig": {"StatusCode": "HTTP_301", **config}}


def test_a_redirect_has_defaults(cloud: LbCloud, listener: str) -> None:
    (found,) = cloud.add_rule(listener, Actions=[redirect(Protocol="HTTPS", Port="443")])["Actions"]
    assert found["RedirectConfig"] == {
        "Protocol": "HTTPS",
        "Port": "443",
        "Host": "#{host}",
        "Path": "/#{path}",
        "Query": "#{query}",
        "StatusCode": "HTTP_301",
    }


OIDC: dict[str, Any] = {
    "Issuer": "https://id.example",
    "AuthorizationEndpoint": "https://id.example/authorize",
    "TokenEndpoint": "https://id.example/token",
    "UserInfoEndpoint": "https://id.example/user",
    "ClientId": "shop",
    "ClientSecret": "secret",
}
JWT: dict[str, Any] = {"JwksEndpoint": "https://id.example/keys", "Issuer": "https://id.example"}
WRONG_ACTIONS: dict[str, tuple[str, list[dict[str, Any]]]] = {
    "none": ("ValidationError", []),
    "no configuration": ("InvalidLoadBalancerAction", [{"Type": "redirect"}]),
    "another type's configuration": (
        "InvalidLoadBalancerAction",
        [{**OK, "RedirectConfig": {"StatusCode": "HTTP_301"}}],
    ),
    "a loop": ("InvalidConfigurationRequest", [redirect()]),
    "an unknown keyword": ("InvalidLoadBalancerAction", [redirect(Host="#{path}")]),
    "a relative path": ("InvalidLoadBalancerAction", [redirect(Path="a")]),
    "a port that is none": ("InvalidLoadBalancerAction", [redirect(Port="0")]),
    "an unknown content type": (
        "InvalidLoadBalancerAction",
        [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "200", "ContentType": "image/png"}}],
    ),
    "a status of redirects": (
        "ValidationError",
        [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "301"}}],
    ),
    "two actions without an order": ("InvalidLoadBalancerAction", [OK, OK]),
    "two responses": ("InvalidLoadBalancerAction", [{**OK, "Order": 1}, {**OK, "Order": 2}]),
    "users who are authenticated without TLS": (
        "InvalidLoadBalancerAction",
        [{"Type": "authenticate-oidc", "Order": 1, "AuthenticateOidcConfig": OIDC}, {**OK, "Order": 2}],
    ),
    "six actions": ("TooManyActions", [{**OK, "Order": number} for number in range(1, 7)]),
    "no target group": ("InvalidLoadBalancerAction", [{"Type": "forward", "ForwardConfig": {"TargetGroups": []}}]),
}


@pytest.mark.parametrize(("code", "actions"), WRONG_ACTIONS.values(), ids=WRONG_ACTIONS)
def test_actions_that_are_not_admitted(cloud: LbCloud, listener: str, code: str, actions: list[dict[str, Any]]) -> None:
    fails(code, cloud.add_rule, listener, Actions=actions)


def test_weights_and_stickiness(cloud: LbCloud, listener: str) -> None:
    groups = [cloud.create_group() for _ in range(2)]
    config = {
        "TargetGroups": [
            {"TargetGroupArn": group, "Weight": weight} for group, weight in zip(groups, (3, 1), strict=True)
        ],
        "TargetGroupStickinessConfig": {"Enabled": True, "DurationSeconds": 60},
    }
    (found,) = cloud.add_rule(listener, Actions=[{"Type": "forward", "ForwardConfig": config}])["Actions"]
    assert found == {"Type": "forward", "ForwardConfig": config}

    def add(**changes: Any) -> None:
        cloud.add_rule(listener, 2, Actions=[{"Type": "forward", "ForwardConfig": {**config, **changes}}])

    wrong = "InvalidLoadBalancerAction"
    fails(wrong, add, TargetGroups=[{"TargetGroupArn": groups[0], "Weight": 1000}])
    fails(wrong, add, TargetGroups=[{"TargetGroupArn": groups[0]}] * 2)
    fails(wrong, add, TargetGroupStickinessConfig={"Enabled": True})
    fails(wrong, add, TargetGroupStickinessConfig={"Enabled": True, "DurationSeconds": 604801})
    six = [{"TargetGroupArn": cloud.create_group()} for _ in range(6)]
    fails("TooManyUniqueTargetGroupsPerLoadBalancer", add, TargetGroups=six)
    action = {**forward(groups[1]), "ForwardConfig": {"TargetGroups": [{"TargetGroupArn": groups[0]}]}}
    fails(wrong, cloud.add_rule, listener, 2, Actions=[action])


def authenticate(config: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"Type": "authenticate-oidc", "Order": 1, "AuthenticateOidcConfig": config}, {**OK, "Order": 2}]


def test_users_are_authenticated(cloud: LbCloud, secure_listener: str) -> None:
    made = cloud.add_rule(secure_listener, Actions=authenticate(OIDC))
    config = made["Actions"][0]["AuthenticateOidcConfig"]
    assert "ClientSecret" not in config
    assert (config["Scope"], config["SessionCookieName"]) == ("openid", "AWSELBAuthSessionCookie")
    assert (config["SessionTimeout"], config["OnUnauthenticatedRequest"]) == (604800, "authenticate")
    kept = {**OIDC, "UseExistingClientSecret": True, "Scope": "email"}
    del kept["ClientSecret"]
    changed = cloud.elb.modify_rule(RuleArn=made["RuleArn"], Actions=authenticate(kept))["Rules"][0]
    assert changed["Actions"][0]["AuthenticateOidcConfig"]["Scope"] == "email"
    wrong = "InvalidLoadBalancerAction"
    fails(wrong, cloud.add_rule, secure_listener, 2, Actions=authenticate(kept))
    fails(wrong, cloud.add_rule, secure_listener, 2, Actions=authenticate({**OIDC, "Issuer": "http://id.example"}))
    fails(wrong, cloud.add_rule, secure_listener, 2, Actions=authenticate({**OIDC, "SessionTimeout": 0}))
    fails(wrong, cloud.add_rule, secure_listener, 2, Actions=[{**authenticate(OIDC)[0]}])


def test_tokens_are_validated(cloud: LbCloud, secure_listener: str) -> None:
    def add(priority: int, config: dict[str, Any]) -> dict[str, Any]:
        actions = [{"Type": "jwt-validation", "Order": 1, "JwtValidationConfig": config}, {**OK, "Order": 2}]
        found: dict[str, Any] = cloud.add_rule(secure_listener, priority, Actions=actions)["Actions"][0]
        return found

    assert add(1, JWT)["JwtValidationConfig"] == JWT
    claims: list[dict[str, Any]] = [
        {"Format": "single-string", "Name": "exp", "Values": ["1"]},
        {"Format": "single-string", "Name": "a", "Values": ["1", "2"]},
        {"Format": "space-separated-values", "Name": "a", "Values": ["1 2"]},
    ]
    for claim in claims:
        fails("InvalidLoadBalancerAction", add, 2, {**JWT, "AdditionalClaims": [claim]})


def test_no_rule_authenticates_in_two_ways(cloud: LbCloud, secure_listener: str) -> None:
    first, last = authenticate(OIDC)
    second = {"Type": "jwt-validation", "Order": 2, "JwtValidationConfig": JWT}
    actions = [first, second, {**last, "Order": 3}]
    fails("InvalidLoadBalancerAction", cloud.add_rule, secure_listener, Actions=actions)


def test_there_is_no_cognito(cloud: LbCloud, secure_listener: str) -> None:
    pool = {
        "UserPoolArn": f"arn:aws:cognito-idp:us-east-1:{cloud.account}:userpool/us-east-1_Abc123",
        "UserPoolClientId": "shop",
        "UserPoolDomain": "shop",
    }
    actions = [{"Type": "authenticate-cognito", "Order": 1, "AuthenticateCognitoConfig": pool}, {**OK, "Order": 2}]
    tells("there is no Amazon Cognito", cloud.add_rule, secure_listener, Actions=actions)


def rewrite(regex: str, replacement: str) -> dict[str, Any]:
    config = {"Rewrites": [{"Regex": regex, "Replace": replacement}]}
    return {"Type": "url-rewrite", "UrlRewriteConfig": config}


def test_transforms(cloud: LbCloud, listener: str) -> None:
    made = cloud.add_rule(listener, Transforms=[rewrite("^/a/(.*)$", "/$1")])
    assert made["Transforms"] == [rewrite("^/a/(.*)$", "/$1")]
    modify, arn = cloud.elb.modify_rule, made["RuleArn"]
    assert modify(RuleArn=arn, Transforms=[rewrite("a", "b")])["Rules"][0]["Transforms"] == [rewrite("a", "b")]
    assert modify(RuleArn=arn, ResetTransforms=True)["Rules"][0]["Transforms"] == []
    fails("ValidationError", modify, RuleArn=arn, ResetTransforms=True, Transforms=[rewrite("a", "b")])
    fails("ValidationError", modify, RuleArn=arn, Transforms=[rewrite("(", "b")])
    wrong = "InvalidConfigurationRequest"
    fails(wrong, modify, RuleArn=arn, Transforms=[rewrite("a", "b"), rewrite("c", "d")])
    fails(wrong, modify, RuleArn=arn, Transforms=[{**rewrite("a", "b"), "Type": "host-header-rewrite"}])


def test_rules_change(cloud: LbCloud, listener: str) -> None:
    arn, group = cloud.add_rule(listener)["RuleArn"], cloud.create_group()
    changed = cloud.elb.modify_rule(
        RuleArn=arn, Conditions=[{"Field": "host-header", "Values": ["a.example"]}], Actions=[forward(group)]
    )["Rules"][0]
    assert (changed["Conditions"][0]["Values"], changed["Priority"]) == (["a.example"], "1")
    fails("ResourceInUse", cloud.elb.delete_target_group, TargetGroupArn=group)
    cloud.elb.delete_rule(RuleArn=arn)
    cloud.elb.delete_target_group(TargetGroupArn=group)
    fails("RuleNotFound", cloud.elb.delete_rule, RuleArn=arn)
    fails("RuleNotFound", cloud.elb.modify_rule, RuleArn=arn)


def test_a_rule_may_be_given_as_it_is_shown(cloud: LbCloud, listener: str) -> None:
    for number, condition in enumerate(CONDITIONS.values(), 1):
        made = cloud.add_rule(listener, number, Conditions=[condition], Actions=[redirect(Port="81")])
        given = {member: made[member] for member in ("RuleArn", "Conditions", "Actions")}
        assert cloud.elb.modify_rule(**given)["Rules"] == [made]
    action = cloud.add_rule(listener, 50, Actions=[forward(cloud.create_group())])["Actions"]
    assert (
        cloud.elb.modify_listener(ListenerArn=listener, DefaultActions=action)["Listeners"][0]["DefaultActions"]
        == action
    )


def test_default_rules_stay(cloud: LbCloud, listener: str) -> None:
    default = cloud.elb.describe_rules(ListenerArn=listener)["Rules"][0]["RuleArn"]
    fails("OperationNotPermitted", cloud.elb.delete_rule, RuleArn=default)
    fails("OperationNotPermitted", cloud.elb.modify_rule, RuleArn=default, Actions=[OK])
    priorities = [{"RuleArn": default, "Priority": 1}]
    fails("OperationNotPermitted", cloud.elb.set_rule_priorities, RulePriorities=priorities)


def test_priorities_change_together(cloud: LbCloud, listener: str) -> None:
    first, second, third = (cloud.add_rule(listener, number)["RuleArn"] for number in (1, 2, 3))

    def set_priorities(**wanted: int) -> list[tuple[str, str]]:
        arns = {"first": first, "second": second, "third": third}
        given = [{"RuleArn": arns[name], "Priority": priority} for name, priority in wanted.items()]
        found = cloud.elb.set_rule_priorities(RulePriorities=given)["Rules"]
        return [(each["RuleArn"], each["Priority"]) for each in found]

    assert set_priorities(first=2, second=1) == [(second, "1"), (first, "2")]
    fails("PriorityInUse", set_priorities, first=3)
    fails("PriorityInUse", set_priorities, first=4, second=4)
    fails("ValidationError", cloud.elb.set_rule_priorities, RulePriorities=[])
    fails("ValidationError", cloud.elb.set_rule_priorities, RulePriorities=[{"RuleArn": first}])
    other = cloud.add_rule(cloud.listen(cloud.create_arn())["ListenerArn"])["RuleArn"]
    both = [{"RuleArn": first, "Priority": 7}, {"RuleArn": other, "Priority": 7}]
    fails("ValidationError", cloud.elb.set_rule_priorities, RulePriorities=both)


def test_a_load_balancer_has_a_hundred_rules(cloud: LbCloud, listener: str) -> None:
    for number in range(1, 101):
        cloud.add_rule(listener, number)
    fails("TooManyRules", cloud.add_rule, listener, 101)


def test_what_is_not_there(cloud: LbCloud, listener: str) -> None:
    fails("ListenerNotFound", cloud.add_rule, listener[:-16] + NOTHING)
    fails("ValidationError", cloud.elb.describe_rules)
    fails("ValidationError", cloud.elb.describe_rules, RuleArns=["mine"])
    fails("ValidationError", cloud.elb.describe_rules, RuleArns=["mine"], ListenerArn=listener)
    fails("ListenerNotFound", cloud.elb.describe_rules, ListenerArn=listener[:-16] + NOTHING)
