"""Make the buckets and groups that CloudTrail delivers to, with the policies that let it in."""

from __future__ import annotations

from cloudlet.testing.server import Aws
from tests.buckets import let_in
from tests.iam_users import allow, make_policy

_SERVICE = "cloudtrail.amazonaws.com"


def make_bucket(aws: Aws, name: str) -> str:
    """Make a bucket and return its name."""
    s3 = aws.client("s3")
    s3.create_bucket(Bucket=name)
    let_in(s3, name, _SERVICE)
    return name


def make_role(aws: Aws) -> str:
    """Make a role by which CloudTrail writes to log groups; return its ARN."""
    iam = aws.client("iam")
    trust = {"Effect": "Allow", "Principal": {"Service": _SERVICE}, "Action": "sts:AssumeRole"}
    arn = iam.create_role(RoleName="trail", AssumeRolePolicyDocument=make_policy(trust))["Role"]["Arn"]
    iam.put_role_policy(RoleName="trail", PolicyName="logs", PolicyDocument=make_policy(allow("logs:*")))
    return str(arn)


def make_topic(aws: Aws, name: str) -> str:
    """Make a topic that CloudTrail may publish to; return its ARN."""
    sns = aws.client("sns")
    arn = str(sns.create_topic(Name=name)["TopicArn"])
    admitted = {**allow("sns:Publish", arn), "Principal": {"Service": _SERVICE}}
    sns.set_topic_attributes(TopicArn=arn, AttributeName="Policy", AttributeValue=make_policy(admitted))
    return arn
