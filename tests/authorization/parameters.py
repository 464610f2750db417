"""Values of parameters missing in the model: without them a request is refused before its caller is authorized."""

from __future__ import annotations

from base64 import b64encode
from datetime import UTC, datetime
from typing import Any, Final

from tests.authorization.resources import make_handle
from tests.strict_accounts import allow, document

_KEY: Final = "12345678-1234-1234-1234-123456789012"
_RESOURCE_POLICY: Final = document({**allow("secretsmanager:*"), "Principal": {"AWS": "123456789012"}})
_FUNCTION_POLICY: Final = document(
    {
        **allow("lambda:InvokeFunction", "arn:aws:lambda:us-east-1:{account}:function:example"),
        "Principal": {"AWS": "123456789012"},
    }
)
_CALLBACK: Final = b64encode(b"example:a:b").decode()
_ITEM: Final[dict[str, Any]] = {"Key": {"k": {"S": "a"}}}
_SELECT: Final = "SELECT * FROM example WHERE k = 'a'"
PARAMETERS: Final[dict[str, dict[str, Any]]] = {
    "cloudformation:CreateStackRefactor": {"StackDefinitions": [{"StackName": "example", "TemplateBody": "{}"}]},
    "cloudtrail:DescribeQuery": {"QueryId": _KEY},
    "cloudtrail:StartQuery": {"QueryStatement": f"SELECT eventID FROM {_KEY}"},
    "dynamodb:BatchExecuteStatement": {"Statements": [{"Statement": _SELECT}]},
    "dynamodb:BatchWriteItem": {"RequestItems": {"example": [{"DeleteRequest": _ITEM}]}},
    "dynamodb:DeleteItem": _ITEM,
    "dynamodb:ExecuteStatement": {"Statement": _SELECT},
    "dynamodb:ExecuteTransaction": {"TransactStatements": [{"Statement": _SELECT}]},
    "dynamodb:GetItem": _ITEM,
    "dynamodb:PutItem": {"Item": _ITEM["Key"]},
    "dynamodb:RestoreTableToPointInTime": {"SourceTableName": "example", "UseLatestRestorableTime": True},
    "dynamodb:SearchVectors": {"SearchVector": [{"N": "1"}]},
    "dynamodb:TransactGetItems": {"TransactItems": [{"Get": {"TableName": "example", **_ITEM}}]},
    "dynamodb:TransactWriteItems": {"TransactItems": [{"Delete": {"TableName": "example", **_ITEM}}]},
    "dynamodb:UpdateItem": _ITEM,
    "ec2:CreateDhcpOptions": {"DhcpConfigurations": [{"Key": "domain-name", "Values": ["example.com"]}]},
    "ec2:CreateTags": {"Resources": ["vpc-0123456789abcdef0"], "Tags": [{"Key": "a", "Value": "b"}]},
    "ec2:DeleteTags": {"Resources": ["vpc-0123456789abcdef0"]},
    "elbv2:AddListenerCertificates": {"Certificates": [{"CertificateArn": "example"}]},
    "elbv2:CreateRule": {
        "Conditions": [{"Field": "path-pattern", "Values": ["/b"]}],
        "Actions": [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "200"}}],
    },
    "elbv2:ModifyListenerAttributes": {"Attributes": [{"Key": "a", "Value": "b"}]},
    "elbv2:ModifyLoadBalancerAttributes": {"Attributes": [{"Key": "a", "Value": "b"}]},
    "elbv2:ModifyTargetGroupAttributes": {"Attributes": [{"Key": "a", "Value": "b"}]},
    "elbv2:RemoveListenerCertificates": {"Certificates": [{"CertificateArn": "example"}]},
    "elbv2:SetRulePriorities": {"RulePriorities": [{"RuleArn": "example", "Priority": 1}]},
    "events:PutEvents": {"Entries": [{"Source": "example", "DetailType": "example", "Detail": "{}"}]},
    "kms:CreateAlias": {"AliasName": "alias/example"},
    "kms:CreateGrant": {"GranteePrincipal": "arn:aws:iam::{account}:user/nobody"},
    "kms:Decrypt": {"KeyId": _KEY, "CiphertextBlob": b"a"},
    "kms:DeleteAlias": {"AliasName": "alias/example"},
    "kms:ListRetirableGrants": {"RetiringPrincipal": "arn:aws:iam::{account}:user/nobody"},
    "kms:GenerateDataKey": {"KeySpec": "AES_256"},
    "kms:GenerateDataKeyWithoutPlaintext": {"KeySpec": "AES_256"},
    "kms:ImportKeyMaterial": {"ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE"},
    "kms:ReEncrypt": {"SourceKeyId": _KEY, "CiphertextBlob": b"a"},
    "kms:RetireGrant": {"KeyId": _KEY, "GrantId": "a" * 64},
    "kms:UpdateAlias": {"AliasName": "alias/example"},
    "lambda:CreateEventSourceMapping": {"EventSourceArn": "arn:aws:sqs:us-east-1:{account}:example"},
    "lambda:InvokeAsync": {"InvokeArgs": b"{}"},
    **{
        f"lambda:SendDurableExecutionCallback{what}": {"CallbackId": _CALLBACK}
        for what in ("Failure", "Heartbeat", "Success")
    },
    "lambda:PutResourcePolicy": {"Policy": _FUNCTION_POLICY},
    "logs:StartQuery": {"queryString": "fields @message", "logGroupName": "example"},
    "s3:PutObjectLegalHold": {"LegalHold": {"Status": "ON"}},
    "s3:PutObjectRetention": {"Retention": {"Mode": "GOVERNANCE", "RetainUntilDate": datetime(2030, 1, 1, tzinfo=UTC)}},
    "s3:SelectObjectContent": {
        "Expression": "SELECT * FROM s3object",
        "InputSerialization": {"CSV": {}},
        "OutputSerialization": {"CSV": {}},
    },
    "secretsmanager:BatchGetSecretValue": {"SecretIdList": ["example"]},
    "secretsmanager:PutSecretValue": {"SecretString": "s"},
    "secretsmanager:ValidateResourcePolicy": {"ResourcePolicy": _RESOURCE_POLICY},
    "sns:Publish": {"TopicArn": "arn:aws:sns:us-east-1:{account}:example"},
    "sqs:CancelMessageMoveTask": {"TaskHandle": make_handle("arn:aws:sqs:us-east-1:123456789012:example")},
    "ssm:AddTagsToResource": {"ResourceType": "Parameter"},
    "ssm:GetParametersByPath": {"Path": "/example"},
    "ssm:GetServiceSetting": {"SettingId": "/ssm/parameter-store/default-parameter-tier"},
    "ssm:ListTagsForResource": {"ResourceType": "Parameter"},
    "ssm:RemoveTagsFromResource": {"ResourceType": "Parameter"},
    "ssm:ResetServiceSetting": {"SettingId": "/ssm/parameter-store/default-parameter-tier"},
    "ssm:UpdateServiceSetting": {"SettingId": "/ssm/parameter-store/default-parameter-tier"},
    "xray:DeleteGroup": {"GroupName": "example"},
    "xray:GetGroup": {"GroupName": "example"},
    "xray:UpdateGroup": {"GroupName": "example"},
}
"""By operations; `{account}` stands for the caller's account."""
