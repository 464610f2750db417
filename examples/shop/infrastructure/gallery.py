"""The bucket of the products' pictures, which has `thumbnails` called for each new one."""

from __future__ import annotations

from aws_cdk import Aws, RemovalPolicy
from aws_cdk import aws_lambda as functions
from aws_cdk import aws_s3 as s3
from constructs import Construct
from shop import names


class Gallery(Construct):
    def __init__(self, scope: Construct, id: str, thumbnails: functions.Function) -> None:
        super().__init__(scope, id)
        name = names.pictures(Aws.ACCOUNT_ID)
        admitted = functions.CfnPermission(
            self,
            "Admitted",
            action="lambda:InvokeFunction",
            function_name=thumbnails.function_name,
            principal="s3.amazonaws.com",
            source_account=Aws.ACCOUNT_ID,
            source_arn=f"arn:{Aws.PARTITION}:s3:::{name}",
        )
        pictures = s3.CfnBucket.S3KeyFilterProperty(
            rules=[s3.CfnBucket.FilterRuleProperty(name="prefix", value="pictures/")]
        )
        told = s3.CfnBucket.LambdaConfigurationProperty(
            event="s3:ObjectCreated:*",
            function=thumbnails.function_arn,
            filter=s3.CfnBucket.NotificationFilterProperty(s3_key=pictures),
        )
        # A bucket of CDK's own would have a function write this, after the bucket is there.
        bucket = s3.CfnBucket(
            self,
            "Pictures",
            bucket_name=name,
            notification_configuration=s3.CfnBucket.NotificationConfigurationProperty(lambda_configurations=[told]),
        )
        bucket.apply_removal_policy(RemovalPolicy.DESTROY)
        bucket.add_resource_dependency(admitted)
