"""Resources for the operations of each block to be about, made by an account's root."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable
from typing import Any, Final

from tests.services.lambda_.cloud import RUNTIME, package
from tests.strict_accounts import Account, allow, document

Members = dict[str, Any]
"""The values of parameters, by the names of members."""
_TRUST: Final = document({"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"})
_NAME: Final = "example"


def _make_certificate(account: Account) -> Members:
    arn = account.client("acm").request_certificate(DomainName="example.com", ValidationMethod="DNS")["CertificateArn"]
    return {"CertificateArn": arn, "ResourceArn": arn}


def _make_apis(account: Account) -> Members:
    rest = account.client("apigateway").create_rest_api(name=_NAME)
    http = account.client("apigatewayv2").create_api(Name=_NAME, ProtocolType="HTTP")
    return {"restApiId": rest["id"], "resourceId": rest["rootResourceId"], "ApiId": http["ApiId"]}


def _make_alarm(account: Account) -> Members:
    account.client("cloudwatch").put_metric_alarm(
        AlarmName=_NAME,
        Namespace=_NAME,
        MetricName=_NAME,
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
    )
    return {}


def _make_table(account: Account) -> Members:
    dynamodb = account.client("dynamodb")
    dynamodb.create_table(
        TableName=_NAME,
        KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    return {"TableName": _NAME, "ResourceArn": account.arn_of("dynamodb", f"table/{_NAME}")}


def _make_rule(account: Account) -> Members:
    events = account.client("events")
    events.create_event_bus(Name=_NAME)
    events.put_rule(Name=_NAME, ScheduleExpression="rate(1 day)")
    return {"ResourceARN": account.arn_of("events", f"rule/{_NAME}")}


def _make_network(account: Account) -> Members:
    ec2 = account.client("ec2")
    subnet = ec2.describe_subnets()["Subnets"][0]
    group = ec2.describe_security_groups()["SecurityGroups"][0]["GroupId"]
    table = ec2.describe_route_tables()["RouteTables"][0]["RouteTableId"]
    return {"VpcId": subnet["VpcId"], "SubnetId": subnet["SubnetId"], "GroupId": group, "RouteTableId": table}


def _make_identities(account: Account) -> Members:
    iam = account.iam
    iam.create_user(UserName=_NAME)
    iam.create_group(GroupName=_NAME)
    iam.create_role(RoleName=_NAME, AssumeRolePolicyDocument=_TRUST)
    iam.create_instance_profile(InstanceProfileName=_NAME)
    key = iam.create_access_key(UserName=_NAME)["AccessKey"]["AccessKeyId"]
    return {"PolicyArn": account.policy(_NAME, allow("s3:*")), "AccessKeyId": key}


def _make_key(account: Account) -> Members:
    kms = account.client("kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.create_alias(AliasName="alias/example", TargetKeyId=key)
    blob = kms.encrypt(KeyId=key, Plaintext=b"a")["CiphertextBlob"]
    names = ("KeyId", "TargetKeyId", "SourceKeyId", "DestinationKeyId")
    return {**dict.fromkeys(names, key), "CiphertextBlob": blob}


def _make_function(account: Account) -> Members:
    account.client("lambda").create_function(
        FunctionName=_NAME,
        Runtime=RUNTIME,
        Role=account.service_role("lambda", allow("*")),
        Handler="index.handler",
        Code={"ZipFile": package()},
    )
    return {"FunctionName": _NAME}


def _make_log_group(account: Account) -> Members:
    logs = account.client("logs")
    logs.create_log_group(logGroupName=_NAME)
    logs.create_log_stream(logGroupName=_NAME, logStreamName=_NAME)
    return {}


def _make_bucket(account: Account) -> Members:
    s3, bucket = account.client("s3"), f"{_NAME}-{account.number}"
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key=_NAME, Body=b"a")
    return {"Bucket": bucket, "Key": _NAME, "CopySource": f"{bucket}/{_NAME}"}


def _make_queue(account: Account) -> Members:
    arn = account.arn_of("sqs", _NAME)
    url = account.client("sqs").create_queue(QueueName=_NAME)["QueueUrl"]
    return {"QueueUrl": url, "SourceArn": arn, "TaskHandle": make_handle(arn)}


def make_handle(queue: str) -> str:
    """Return what may be the handle of a task that moves messages from a queue."""
    return b64encode(json.dumps({"taskId": "a", "sourceArn": queue}).encode()).decode()


def _make_schedule(account: Account) -> Members:
    role = account.service_role("scheduler", allow("sqs:*"))
    target = {"Arn": account.arn_of("sqs", _NAME), "RoleArn": role}
    scheduler = account.client("scheduler")
    scheduler.create_schedule_group(Name=_NAME)
    scheduler.create_schedule(
        Name=_NAME, ScheduleExpression="rate(1 day)", Target=target, FlexibleTimeWindow={"Mode": "OFF"}
    )
    return {}


def _make_secret(account: Account) -> Members:
    account.client("secretsmanager").create_secret(Name=_NAME, SecretString="s")
    return {}


def _make_topic(account: Account) -> Members:
    arn = account.client("sns").create_topic(Name=_NAME)["TopicArn"]
    return {"TopicArn": arn, "ResourceArn": arn}


def _make_parameter(account: Account) -> Members:
    account.client("ssm").put_parameter(Name="/example", Value="v", Type="String", Tier="Advanced")
    return {"Name": "/example", "Names": ["/example"], "ResourceId": "/example"}


def _make_role(account: Account) -> Members:
    return {"RoleArn": account.role({"AWS": account.number}, allow("*"))}


def _make_group(account: Account) -> Members:
    account.client("xray").create_group(GroupName=_NAME)
    return {}


def _make_hosted_zone(account: Account) -> Members:
    made = account.client("route53").create_hosted_zone(Name="example.com", CallerReference=_NAME)
    identifier = made["HostedZone"]["Id"].removeprefix("/hostedzone/")
    return {"HostedZoneId": identifier, "ResourceType": "hostedzone", "ResourceId": identifier}


def _make_namespace(account: Account) -> Members:
    account.client("servicediscovery").create_http_namespace(Name=_NAME)
    return {"NamespaceName": _NAME}


def _make_load_balancer(account: Account) -> Members:
    elb, vpc = account.client("elbv2"), _make_network(account)["VpcId"]
    filters = [{"Name": "vpc-id", "Values": [vpc]}]
    subnets = [each["SubnetId"] for each in account.client("ec2").describe_subnets(Filters=filters)["Subnets"]]
    made = elb.create_load_balancer(Name=_NAME, Subnets=subnets[:2], Scheme="internal")
    balancer = made["LoadBalancers"][0]["LoadBalancerArn"]
    group = elb.create_target_group(Name=_NAME, Protocol="HTTP", Port=80, VpcId=vpc, TargetType="ip")
    actions = [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "200"}}]
    made = elb.create_listener(LoadBalancerArn=balancer, Protocol="HTTP", Port=80, DefaultActions=actions)
    listener = made["Listeners"][0]["ListenerArn"]
    conditions = [{"Field": "path-pattern", "Values": ["/a"]}]
    made = elb.create_rule(ListenerArn=listener, Priority=1, Conditions=conditions, Actions=actions)
    return {
        "LoadBalancerArn": balancer,
        "TargetGroupArn": group["TargetGroups"][0]["TargetGroupArn"],
        "ListenerArn": listener,
        "RuleArn": made["Rules"][0]["RuleArn"],
        "ResourceArns": [balancer],
    }


def _make_mesh(account: Account) -> Members:
    made = account.client("appmesh").create_mesh(meshName=_NAME)["mesh"]
    return {"resourceArn": made["metadata"]["arn"]}


MAKERS: Final[dict[str, Callable[[Account], Members]]] = {
    "acm": _make_certificate,
    "apigateway": _make_apis,
    "appmesh": _make_mesh,
    "cloudwatch": _make_alarm,
    "dynamodb": _make_table,
    "ec2": _make_network,
    "elbv2": _make_load_balancer,
    "events": _make_rule,
    "iam": _make_identities,
    "kms": _make_key,
    "lambda": _make_function,
    "logs": _make_log_group,
    "route53": _make_hosted_zone,
    "s3": _make_bucket,
    "scheduler": _make_schedule,
    "secretsmanager": _make_secret,
    "servicediscovery": _make_namespace,
    "sns": _make_topic,
    "sqs": _make_queue,
    "ssm": _make_parameter,
    "sts": _make_role,
    "xray": _make_group,
}
"""By blocks: what makes resources, and names them."""
