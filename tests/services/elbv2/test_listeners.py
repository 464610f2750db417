"""Listeners: their protocols, ports, certificates, actions and attributes."""

from __future__ import annotations

from typing import Any

import pytest

from tests.certificates import make_pair
from tests.services.elbv2.lb_cloud import NOTHING, OK, LbCloud, fails, forward, tells


def import_certificate(cloud: LbCloud, name: str = "shop.example") -> str:
    arn: str = cloud.aws.client("acm").import_certificate(**make_pair(name).params())["CertificateArn"]
    return arn


def listen_securely(cloud: LbCloud, balancer: str, certificate: str, port: int = 443, **more: Any) -> dict[str, Any]:
    more = {"Protocol": "HTTPS", **more}
    return cloud.listen(balancer, port=port, Certificates=[{"CertificateArn": certificate}], **more)


def test_a_listener_is_created_and_shown(cloud: LbCloud) -> None:
    balancer, group = cloud.create_arn(), cloud.create_group()
    made = cloud.listen(balancer, group, Tags=[{"Key": "a", "Value": "b"}])
    assert made["ListenerArn"].startswith(balancer.replace(":loadbalancer/", ":listener/") + "/")
    assert (made["Protocol"], made["Port"], made["LoadBalancerArn"]) == ("HTTP", 80, balancer)
    assert made["DefaultActions"] == [
        {
            "Type": "forward",
            "TargetGroupArn": group,
            "ForwardConfig": {
                "TargetGroups": [{"TargetGroupArn": group, "Weight": 1}],
                "TargetGroupStickinessConfig": {"Enabled": False},
            },
        }
    ]
    arn = made["ListenerArn"]
    assert cloud.elb.describe_listeners(ListenerArns=[arn])["Listeners"] == [made]
    assert cloud.elb.describe_listeners(LoadBalancerArn=balancer)["Listeners"] == [made]
    (rule,) = cloud.elb.describe_rules(ListenerArn=arn)["Rules"]
    assert (rule["Priority"], rule["IsDefault"], rule["Actions"]) == ("default", True, made["DefaultActions"])
    assert cloud.elb.describe_rules(RuleArns=[rule["RuleArn"]])["Rules"] == [rule]
    assert cloud.get_group(group)["LoadBalancerArns"] == [balancer]


def test_a_port_has_one_listener(cloud: LbCloud) -> None:
    balancer = cloud.create_arn()
    made = cloud.listen(balancer)
    assert cloud.listen(balancer) == made
    fails("DuplicateListener", cloud.listen, balancer, cloud.create_group())
    other = cloud.listen(balancer, port=81)
    modify = cloud.elb.modify_listener
    fails("DuplicateListener", modify, ListenerArn=other["ListenerArn"], Port=80)
    assert modify(ListenerArn=other["ListenerArn"], Port=82)["Listeners"][0]["Port"] == 82


REFUSED: dict[str, tuple[str, str, dict[str, Any]]] = {
    "no protocol": ("application", "ValidationError", {"Protocol": None}),
    "another kind's protocol": ("application", "ValidationError", {"Protocol": "TCP"}),
    "HTTP of a network load balancer": ("network", "ValidationError", {"Protocol": "HTTP"}),
    "QUIC": ("network", "InvalidConfigurationRequest", {"Protocol": "QUIC"}),
    "no certificate": ("application", "ValidationError", {"Protocol": "HTTPS"}),
    "a policy without TLS": ("application", "ValidationError", {"SslPolicy": "ELBSecurityPolicy-2016-08"}),
    "ALPN without TLS": ("application", "ValidationError", {"AlpnPolicy": ["HTTP2Only"]}),
    "a fixed response of a network load balancer": ("network", "InvalidLoadBalancerAction", {"Protocol": "TCP"}),
}


@pytest.mark.parametrize(("kind", "code", "more"), REFUSED.values(), ids=REFUSED)
def test_listeners_that_are_not_admitted(cloud: LbCloud, kind: str, code: str, more: dict[str, Any]) -> None:
    more = {"Protocol": "HTTP", **more}
    given = {"LoadBalancerArn": cloud.create_arn(Type=kind), "Port": 80, "DefaultActions": [OK]}
    given |= {member: value for member, value in more.items() if value is not None}
    fails(code, cloud.elb.create_listener, **given)


def test_a_port_is_required(cloud: LbCloud) -> None:
    given = {"LoadBalancerArn": cloud.create_arn(), "Protocol": "HTTP", "DefaultActions": [OK]}
    fails("ValidationError", cloud.elb.create_listener, **given)


COMPATIBLE: dict[str, tuple[str, str, str | None]] = {
    "TCP to TCP": ("TCP", "TCP", None),
    "TCP to TCP_UDP": ("TCP", "TCP_UDP", None),
    "UDP to UDP": ("UDP", "UDP", None),
    "UDP to TCP": ("UDP", "TCP", "IncompatibleProtocols"),
    "TCP to HTTP": ("TCP", "HTTP", "IncompatibleProtocols"),
    "TCP_UDP to TCP": ("TCP_UDP", "TCP", "IncompatibleProtocols"),
}


@pytest.mark.parametrize(("outside", "inside", "code"), COMPATIBLE.values(), ids=COMPATIBLE)
def test_protocols_that_go_together(cloud: LbCloud, outside: str, inside: str, code: str | None) -> None:
    balancer, group = cloud.create_arn(Type="network"), cloud.create_group(Protocol=inside)
    if code is None:
        assert cloud.listen(balancer, group, Protocol=outside)["Protocol"] == outside
    else:
        fails(code, cloud.listen, balancer, group, Protocol=outside)


def test_groups_that_a_listener_cannot_use(cloud: LbCloud) -> None:
    balancer = cloud.create_arn()
    fails("IncompatibleProtocols", cloud.listen, balancer, cloud.create_group(Protocol="TCP"))
    tells("protocol-version 'GRPC'", cloud.listen, balancer, cloud.create_group(ProtocolVersion="GRPC"))
    missing = f"arn:aws:elasticloadbalancing:us-east-1:{cloud.account}:targetgroup/a/{NOTHING}"
    fails("TargetGroupNotFound", cloud.listen, balancer, missing)
    other = cloud.ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    fails("InvalidConfigurationRequest", cloud.listen, balancer, cloud.create_group(VpcId=other))
    group = cloud.create_group()
    cloud.listen(balancer, group)
    fails("TargetGroupAssociationLimit", cloud.listen, cloud.create_arn(), group)


def test_a_network_load_balancer_forwards_somewhere(cloud: LbCloud) -> None:
    groups = [{"TargetGroupArn": cloud.create_group(Protocol="TCP"), "Weight": 0}]
    action = {"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}
    balancer = cloud.create_arn(Type="network")
    fails("InvalidLoadBalancerAction", cloud.listen, balancer, Protocol="TCP", DefaultActions=[action])


def test_certificates_and_policies(cloud: LbCloud) -> None:
    balancer, certificate = cloud.create_arn(), import_certificate(cloud)
    made = listen_securely(cloud, balancer, certificate)
    assert made["Certificates"] == [{"CertificateArn": certificate}]
    assert (made["SslPolicy"], made["MutualAuthentication"]) == ("ELBSecurityPolicy-2016-08", {"Mode": "off"})
    modify = cloud.elb.modify_listener
    policy = "ELBSecurityPolicy-TLS13-1-2-Res-2021-06"
    assert modify(ListenerArn=made["ListenerArn"], SslPolicy=policy)["Listeners"][0]["SslPolicy"] == policy
    fails("SSLPolicyNotFound", modify, ListenerArn=made["ListenerArn"], SslPolicy="mine")
    fips = "ELBSecurityPolicy-TLS13-1-2-FIPS-2023-04"
    fails("InvalidConfigurationRequest", listen_securely, cloud, balancer, certificate, 444, SslPolicy=fips)
    missing = f"arn:aws:acm:us-east-1:{cloud.account}:certificate/00000000-0000-0000-0000-000000000000"
    fails("CertificateNotFound", listen_securely, cloud, balancer, missing, 444)
    fails("ValidationError", listen_securely, cloud, balancer, "mine", 444)
    both = [{"CertificateArn": certificate}, {"CertificateArn": import_certificate(cloud)}]
    fails("TooManyCertificates", modify, ListenerArn=made["ListenerArn"], Certificates=both)
    plain = modify(ListenerArn=made["ListenerArn"], Protocol="HTTP")["Listeners"][0]
    assert "Certificates" not in plain
    assert "SslPolicy" not in plain


def test_a_certificate_that_is_not_issued(cloud: LbCloud) -> None:
    acm = cloud.aws.client("acm")
    arn = acm.request_certificate(DomainName="example.com", ValidationMethod="DNS")["CertificateArn"]
    fails("UnsupportedCertificate", listen_securely, cloud, cloud.create_arn(), arn)


def test_a_server_certificate_of_iam(cloud: LbCloud) -> None:
    pair = make_pair("shop.example")
    made = cloud.aws.client("iam").upload_server_certificate(
        ServerCertificateName="shop", CertificateBody=pair.body.decode(), PrivateKey=pair.private.decode()
    )
    arn = made["ServerCertificateMetadata"]["Arn"]
    listener = listen_securely(cloud, cloud.create_arn(), arn)
    assert listener["Certificates"] == [{"CertificateArn": arn}]
    fails("CertificateNotFound", listen_securely, cloud, cloud.create_arn(), arn.replace("/shop", "/other"))


def test_further_certificates(cloud: LbCloud) -> None:
    balancer, default, other = cloud.create_arn(), import_certificate(cloud), import_certificate(cloud, "b.example")
    arn = listen_securely(cloud, balancer, default)["ListenerArn"]

    def add(*certificates: str) -> Any:
        given = [{"CertificateArn": each} for each in certificates]
        return cloud.elb.add_listener_certificates(ListenerArn=arn, Certificates=given)

    assert add(other)["Certificates"] == [{"CertificateArn": other, "IsDefault": False}]
    add(other)
    found = cloud.elb.describe_listener_certificates(ListenerArn=arn)["Certificates"]
    assert found == [
        {"CertificateArn": default, "IsDefault": True},
        {"CertificateArn": other, "IsDefault": False},
    ]
    remove = cloud.elb.remove_listener_certificates
    fails("OperationNotPermitted", remove, ListenerArn=arn, Certificates=[{"CertificateArn": default}])
    remove(ListenerArn=arn, Certificates=[{"CertificateArn": other}])
    assert len(cloud.elb.describe_listener_certificates(ListenerArn=arn)["Certificates"]) == 1
    fails("ValidationError", cloud.elb.add_listener_certificates, ListenerArn=arn, Certificates=[])
    given = [{"CertificateArn": other, "IsDefault": True}]
    fails("ValidationError", cloud.elb.add_listener_certificates, ListenerArn=arn, Certificates=given)
    plain = cloud.listen(balancer)["ListenerArn"]
    given = [{"CertificateArn": other}]
    fails("ValidationError", cloud.elb.add_listener_certificates, ListenerArn=plain, Certificates=given)


def test_certificates_in_use_are_told_to_acm(cloud: LbCloud) -> None:
    from tests.standing import eventually

    acm, balancer, certificate = cloud.aws.client("acm"), cloud.create_arn(), import_certificate(cloud)
    arn = listen_securely(cloud, balancer, certificate)["ListenerArn"]

    def list_users() -> list[str]:
        users: list[str] = acm.describe_certificate(CertificateArn=certificate)["Certificate"]["InUseBy"]
        return users

    eventually(list_users, lambda found: found == [balancer])
    fails("ResourceInUseException", acm.delete_certificate, CertificateArn=certificate)
    cloud.elb.delete_listener(ListenerArn=arn)
    eventually(list_users, lambda found: not found)


def test_alpn(cloud: LbCloud) -> None:
    balancer, group = cloud.create_arn(Type="network"), cloud.create_group(Protocol="TLS")
    actions, certificate = [forward(group)], import_certificate(cloud)
    more: dict[str, Any] = {"Protocol": "TLS", "DefaultActions": actions}
    made = listen_securely(cloud, balancer, certificate, AlpnPolicy=["HTTP2Preferred"], **more)
    assert made["AlpnPolicy"] == ["HTTP2Preferred"]
    fails("ALPNPolicyNotFound", listen_securely, cloud, balancer, certificate, 444, AlpnPolicy=["mine"], **more)
    fails("ValidationError", listen_securely, cloud, balancer, certificate, 444, AlpnPolicy=["None", "None"], **more)


def test_ssl_policies_are_told(cloud: LbCloud) -> None:
    found = cloud.elb.describe_ssl_policies(Names=["ELBSecurityPolicy-TLS13-1-2-Res-2021-06"])["SslPolicies"][0]
    assert found["SslProtocols"] == ["TLSv1.2", "TLSv1.3"]
    assert [each["Name"] for each in found["Ciphers"]] == [
        "TLS_AES_128_GCM_SHA256",
        "TLS_AES_256_GCM_SHA384",
        "TLS_CHACHA20_POLY1305_SHA256",
        "ECDHE-ECDSA-AES128-GCM-SHA256",
        "ECDHE-RSA-AES128-GCM-SHA256",
        "ECDHE-ECDSA-AES256-GCM-SHA384",
        "ECDHE-RSA-AES256-GCM-SHA384",
    ]
    names = {each["Name"] for each in cloud.elb.describe_ssl_policies(LoadBalancerType="application")["SslPolicies"]}
    assert "ELBSecurityPolicy-2016-08" in names
    assert "ELBSecurityPolicy-2015-05" not in names
    fails("SSLPolicyNotFound", cloud.elb.describe_ssl_policies, Names=["mine"])


def test_attributes(cloud: LbCloud) -> None:
    arn = cloud.listen(cloud.create_arn())["ListenerArn"]

    def modify(key: str, value: str) -> dict[str, str]:
        given = [{"Key": key, "Value": value}]
        found = cloud.elb.modify_listener_attributes(ListenerArn=arn, Attributes=given)["Attributes"]
        return {each["Key"]: each["Value"] for each in found}

    found = modify("routing.http.response.server.enabled", "false")
    assert found["routing.http.response.server.enabled"] == "false"
    described = cloud.elb.describe_listener_attributes(ListenerArn=arn)["Attributes"]
    assert found == {each["Key"]: each["Value"] for each in described}
    fails("ValidationError", modify, "routing.http.response.server.enabled", "no")
    fails("ValidationError", modify, "routing.http.response.x_content_type_options.header_value", "sniff")
    fails("ValidationError", modify, "routing.http.response.x_frame_options.header_value", "a\r\nset-cookie: a=b")
    # Headers about TLS are those of HTTPS listeners.
    fails("ValidationError", modify, "routing.http.request.x_amzn_tls_version.header_name", "X-Tls")
    fails("ValidationError", modify, "tcp.idle_timeout.seconds", "60")


def test_a_deleted_listener_is_gone(cloud: LbCloud) -> None:
    balancer, group = cloud.create_arn(), cloud.create_group()
    arn = cloud.listen(balancer, group)["ListenerArn"]
    rule = cloud.add_rule(arn)["RuleArn"]
    cloud.elb.delete_listener(ListenerArn=arn)
    for call, params in (
        (cloud.elb.describe_listeners, {"ListenerArns": [arn]}),
        (cloud.elb.delete_listener, {"ListenerArn": arn}),
    ):
        fails("ListenerNotFound", call, **params)
    fails("RuleNotFound", cloud.elb.describe_rules, RuleArns=[rule])
    assert cloud.get_group(group)["LoadBalancerArns"] == []
    fails("ValidationError", cloud.elb.describe_listeners)
    fails("ValidationError", cloud.elb.describe_listeners, ListenerArns=[arn], LoadBalancerArn=balancer)


def test_default_actions_change(cloud: LbCloud) -> None:
    balancer, first, second = cloud.create_arn(), cloud.create_group(), cloud.create_group()
    arn = cloud.listen(balancer, first)["ListenerArn"]
    cloud.elb.modify_listener(ListenerArn=arn, DefaultActions=[forward(second)])
    assert cloud.get_group(first)["LoadBalancerArns"] == []
    assert cloud.get_group(second)["LoadBalancerArns"] == [balancer]
    fails("ResourceInUse", cloud.elb.delete_target_group, TargetGroupArn=second)
    cloud.elb.delete_target_group(TargetGroupArn=first)
