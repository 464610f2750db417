"""The examples of AWS's API reference, in an order in which they can be: answers have the members that AWS's have."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

from botocore import xform_name

from tests.services.secretsmanager.cloud import SecretCloud

_EXAMPLES = json.loads(files("botocore").joinpath("data/secretsmanager/2017-10-17/examples-1.json").read_text())[
    "examples"
]
_STORY = (
    "CreateSecret",
    "UpdateSecretVersionStage",
    "PutSecretValue",
    "ListSecrets",
    "ListSecretVersionIds",
    "GetSecretValue",
    "GetRandomPassword",
    "ValidateResourcePolicy",
    "PutResourcePolicy",
    "GetResourcePolicy",
    "DeleteResourcePolicy",
    "UntagResource",
    "TagResource",
    "RestoreSecret",
    "UpdateSecret",
    "DescribeSecret",
    "DeleteSecret",
)
"""Examples of rotation need a function: test_rotation.py has them."""
_OF_ROTATION = {"LastRotatedDate", "RotationEnabled", "RotationLambdaARN", "RotationRules"}


def test_the_examples_of_aws_work(cloud: SecretCloud) -> None:
    key = cloud.aws.client("kms").create_key()["KeyMetadata"]["Arn"]
    for operation in _STORY:
        if operation == "UpdateSecretVersionStage":
            cloud.client.put_secret_value(
                SecretId="MyTestDatabaseSecret",
                SecretString="x",
                ClientRequestToken="EXAMPLE2-90ab-cdef-fedc-ba987SECRET2",
                VersionStages=["another"],
            )
        for example in _EXAMPLES[operation]:
            params: dict[str, Any] = dict(example.get("input") or {})
            if "SecretId" in params:
                params["SecretId"] = "MyTestDatabaseSecret"
            if "KmsKeyId" in params:
                params["KmsKeyId"] = key
            if operation == "UpdateSecret":
                # Those of the reference are those of versions that are there.
                params.pop("ClientRequestToken", None)
            answer = getattr(cloud.client, xform_name(operation))(**params)
            expected = (example.get("output") or {}).keys()
            assert expected - answer.keys() <= _OF_ROTATION, operation
