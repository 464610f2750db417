"""The roles that services make for themselves: their names and policies, by service principals.

Source: the pages on service-linked roles in each service's guide, and the AWS Managed Policy Reference.
"""

from __future__ import annotations

from typing import Final, NamedTuple


class RoleTemplate(NamedTuple):
    """The role of a service: its name without "AWSServiceRoleFor", and its managed policy."""

    suffix: str
    policy: str
    has_custom_suffix: bool = False
    """Whether there may be several of them."""

    @property
    def name(self) -> str:
        """The role's name, but for a custom suffix."""
        return f"AWSServiceRoleFor{self.suffix}"


def _make_scaling(target: str, policy: str) -> RoleTemplate:
    """Return the role of Application Auto Scaling for one kind of targets."""
    return RoleTemplate(f"ApplicationAutoScaling_{target}", f"AWSApplicationAutoscaling{policy}Policy")


SERVICES: Final[dict[str, RoleTemplate]] = {
    "access-analyzer": RoleTemplate("AccessAnalyzer", "AccessAnalyzerServiceRolePolicy"),
    "acm": RoleTemplate("CertificateManager", "CertificateManagerServiceRolePolicy"),
    "apidestinations.events": RoleTemplate(
        "AmazonEventBridgeApiDestinations", "AmazonEventBridgeApiDestinationsServiceRolePolicy"
    ),
    "appmesh": RoleTemplate("AppMesh", "AWSAppMeshServiceRolePolicy"),
    "autoscaling": RoleTemplate("AutoScaling", "AutoScalingServiceRolePolicy", has_custom_suffix=True),
    "backup": RoleTemplate("Backup", "AWSBackupServiceLinkedRolePolicyForBackup"),
    "batch": RoleTemplate("Batch", "BatchServiceRolePolicy"),
    "cks.kms": RoleTemplate(
        "KeyManagementServiceCustomKeyStores", "AWSKeyManagementServiceCustomKeyStoresServiceRolePolicy"
    ),
    "cloudtrail": RoleTemplate("CloudTrail", "CloudTrailServiceRolePolicy"),
    "config": RoleTemplate("Config", "AWSConfigServiceRolePolicy"),
    "dax": RoleTemplate("DAX", "DAXServiceRolePolicy"),
    "delivery.logs": RoleTemplate("LogDelivery", "AWSServiceRoleForLogDeliveryPolicy"),
    "docdb-elastic": RoleTemplate("DocDB-Elastic", "AmazonDocDB-ElasticServiceRolePolicy"),
    "dynamodb.application-autoscaling": _make_scaling("DynamoDBTable", "DynamoDBTable"),
    "ec2.application-autoscaling": _make_scaling("EC2SpotFleetRequest", "EC2SpotFleetRequest"),
    "ec2fleet": RoleTemplate("EC2Fleet", "AWSEC2FleetServiceRolePolicy"),
    "ecs": RoleTemplate("ECS", "AmazonECSServiceRolePolicy"),
    "ecs.application-autoscaling": _make_scaling("ECSService", "ECSService"),
    "eks": RoleTemplate("AmazonEKS", "AmazonEKSServiceRolePolicy"),
    "eks-fargate": RoleTemplate("AmazonEKSForFargate", "AmazonEKSForFargateServiceRolePolicy"),
    "eks-nodegroup": RoleTemplate("AmazonEKSNodegroup", "AWSServiceRoleForAmazonEKSNodegroup"),
    "elasticache": RoleTemplate("ElastiCache", "ElastiCacheServiceRolePolicy"),
    "elasticache.application-autoscaling": _make_scaling("ElastiCacheRG", "ElastiCacheRG"),
    "elasticbeanstalk": RoleTemplate("ElasticBeanstalk", "AWSElasticBeanstalkServiceRolePolicy"),
    "elasticfilesystem": RoleTemplate("AmazonElasticFileSystem", "AmazonElasticFileSystemServiceRolePolicy"),
    "elasticloadbalancing": RoleTemplate("ElasticLoadBalancing", "AWSElasticLoadBalancingServiceRolePolicy"),
    "elasticmapreduce": RoleTemplate("EMRCleanup", "AmazonEMRCleanupPolicy"),
    "emr-containers": RoleTemplate("AmazonEMRContainers", "AmazonEMRContainersServiceRolePolicy"),
    "es": RoleTemplate("AmazonElasticsearchService", "AmazonElasticsearchServiceRolePolicy"),
    "events": RoleTemplate("CloudWatchEvents", "CloudWatchEventsServiceRolePolicy"),
    "globalaccelerator": RoleTemplate("GlobalAccelerator", "AWSGlobalAcceleratorSLRPolicy"),
    "guardduty": RoleTemplate("AmazonGuardDuty", "AmazonGuardDutyServiceRolePolicy"),
    "kafka": RoleTemplate("Kafka", "KafkaServiceRolePolicy"),
    "kafka.application-autoscaling": _make_scaling("KafkaCluster", "KafkaCluster"),
    "kinesisreplication.dynamodb": RoleTemplate(
        "DynamoDBKinesisDataStreamsReplication", "DynamoDBKinesisReplicationServiceRolePolicy"
    ),
    "lambda.application-autoscaling": _make_scaling("LambdaConcurrency", "LambdaConcurrency"),
    "lex": RoleTemplate("LexBots", "LexBotPolicy"),
    "lexv2": RoleTemplate("LexV2Bots", "AmazonLexV2BotPolicy", has_custom_suffix=True),
    "memorydb": RoleTemplate("MemoryDB", "MemoryDBServiceRolePolicy"),
    "mq": RoleTemplate("AmazonMQ", "AmazonMQServiceRolePolicy"),
    "mrk.kms": RoleTemplate(
        "KeyManagementServiceMultiRegionKeys", "AWSKeyManagementServiceMultiRegionKeysServiceRolePolicy"
    ),
    "opensearchservice": RoleTemplate("AmazonOpenSearchService", "AmazonOpenSearchServiceRolePolicy"),
    "ops.apigateway": RoleTemplate("APIGateway", "APIGatewayServiceRolePolicy"),
    "ops.emr-serverless": RoleTemplate("AmazonEMRServerless", "AmazonEMRServerlessServiceRolePolicy"),
    "organizations": RoleTemplate("Organizations", "AWSOrganizationsServiceTrustPolicy"),
    "rds": RoleTemplate("RDS", "AmazonRDSServiceRolePolicy"),
    "rds.application-autoscaling": _make_scaling("RDSCluster", "RDSCluster"),
    "redshift": RoleTemplate("Redshift", "AmazonRedshiftServiceLinkedRolePolicy"),
    "replication.dynamodb": RoleTemplate("DynamoDBReplication", "DynamoDBReplicationServiceRolePolicy"),
    "replication.ecr": RoleTemplate("ECRReplication", "ECRReplicationServiceRolePolicy"),
    "spot": RoleTemplate("EC2Spot", "AWSEC2SpotServiceRolePolicy"),
    "spotfleet": RoleTemplate("EC2SpotFleet", "AWSEC2SpotFleetServiceRolePolicy"),
    "ssm": RoleTemplate("AmazonSSM", "AmazonSSMServiceRolePolicy"),
    "sso": RoleTemplate("SSO", "AWSSSOServiceRolePolicy"),
    "support": RoleTemplate("Support", "AWSSupportServiceRolePolicy"),
    "trustedadvisor": RoleTemplate("TrustedAdvisor", "AWSTrustedAdvisorServiceRolePolicy"),
    "vpc-lattice": RoleTemplate("VpcLattice", "AWSVpcLatticeServiceRolePolicy"),
    "wafv2": RoleTemplate("WAFV2Logging", "WAFV2LoggingServiceRolePolicy"),
}
"""By service principals, without ".amazonaws.com"."""


def find(principal: str) -> RoleTemplate | None:
    """Return the role of a service by its principal, or None."""
    return SERVICES.get(principal.removesuffix(".amazonaws.com")) if principal.endswith(".amazonaws.com") else None
