"""The shop's services on Amazon ECS, in a network of their own."""

from __future__ import annotations

from typing import Any

from aws_cdk import Duration
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from aws_cdk import aws_servicediscovery as discovery
from constructs import Construct
from shop import names

from infrastructure import roles
from infrastructure.parameters import Parameters

NETWORK = "shop.internal"
"""The services find each other by names in this domain."""
NAMES = ("orders", "outbox", "payments", "inventory", "email", "on-call")
PORT = 8080
_ASK = f"import urllib.request; urllib.request.urlopen('http://127.0.0.1:{PORT}/health')"
_ORDERS = {"SHOP_ORDERS": f"http://orders.{NETWORK}:{PORT}"}
_IS_HEALTHY = ecs.HealthCheck(command=["CMD", "python3", "-c", _ASK], interval=Duration.seconds(10))


class Services(Construct):
    """`needed` is what has to be there before services start."""

    def __init__(
        self, scope: Construct, id: str, parameters: Parameters, log: logs.ILogGroup, needed: list[Construct]
    ) -> None:
        super().__init__(scope, id)
        self._parameters = parameters
        self._needed = needed
        self._log = log
        repository = ecr.Repository.from_repository_name(self, "Images", names.REPOSITORY)
        self._image = ecs.ContainerImage.from_ecr_repository(repository, parameters.image.value_as_string)
        self._execution = iam.Role(
            self, "Execution", role_name="shop-execution", assumed_by=iam.ServicePrincipal("ecs-tasks.amazonaws.com")
        )
        # Public subnets alone: tasks reach AWS without a NAT gateway, and nobody reaches them but by their groups.
        public = ec2.SubnetConfiguration(name="Public", subnet_type=ec2.SubnetType.PUBLIC)
        self._vpc = ec2.Vpc(
            self, "Network", max_azs=2, subnet_configuration=[public], restrict_default_security_group=False
        )
        self._roles = {name: roles.create(self, name, "ecs-tasks.amazonaws.com") for name in NAMES}
        self._cluster = ecs.Cluster(self, "Cluster", cluster_name=names.CLUSTER, vpc=self._vpc)
        self._cluster.add_default_cloud_map_namespace(name=NETWORK, type=discovery.NamespaceType.DNS_PRIVATE)
        self._workers = ec2.SecurityGroup(self, "Workers", vpc=self._vpc, description="Whom nobody calls")
        called = ec2.SecurityGroup(self, "Called", vpc=self._vpc, description="Whom the workers report to")
        called.add_ingress_rule(self._workers, ec2.Port.tcp(PORT), "What a service did")

        self._create(
            "orders",
            called,
            {"AWS_ENDPOINT_URL_S3": parameters.s3.value_as_string},
            cloud_map_options=ecs.CloudMapOptions(name="orders", dns_ttl=Duration.seconds(5)),
        )
        self._create_front()
        self._create("outbox", self._workers)
        self._create("payments", self._workers, {**_ORDERS, "SHOP_CURRENCIES": parameters.currencies.value_as_string})
        self._create("inventory", self._workers, _ORDERS)
        self._create("email", self._workers, _ORDERS)
        self._create("on-call", self._workers)

    def _create_front(self) -> None:
        """Create the door of customers: the module `orders` once more, in a task that has a port of its machine."""
        definition = ecs.TaskDefinition(
            self,
            "FrontDefinition",
            compatibility=ecs.Compatibility.EC2,
            network_mode=ecs.NetworkMode.BRIDGE,
            family="shop-front",
            task_role=self._roles["orders"],
            execution_role=self._execution,
        )
        container = self._add_container(
            definition, "orders", {"AWS_ENDPOINT_URL_S3": self._parameters.s3.value_as_string}
        )
        container.add_port_mappings(ecs.PortMapping(container_port=PORT, host_port=0))
        # CDK's own wants to know of instances.
        service = ecs.CfnService(
            self,
            "Front",
            service_name="front",
            cluster=self._cluster.cluster_name,
            task_definition=definition.task_definition_arn,
            desired_count=self._parameters.tasks.value_as_number,
            launch_type="EC2",
        )
        service.node.add_dependency(*self._needed)

    def _create(
        self, name: str, group: ec2.SecurityGroup, environment: dict[str, str] | None = None, **more: Any
    ) -> ecs.FargateService:
        """Create a service that runs the module of its name."""
        definition = ecs.FargateTaskDefinition(
            self,
            f"{name}Definition",
            family=f"shop-{name}",
            cpu=256,
            memory_limit_mib=512,
            task_role=self._roles[name],
            execution_role=self._execution,
        )
        self._add_container(definition, name, environment)
        service = ecs.FargateService(
            self,
            name,
            service_name=name,
            cluster=self._cluster,
            task_definition=definition,
            desired_count=self._parameters.tasks.value_as_number,
            assign_public_ip=True,
            min_healthy_percent=100,
            circuit_breaker=ecs.DeploymentCircuitBreaker(rollback=True),
            security_groups=[group],
            **more,
        )
        service.node.add_dependency(*self._needed)
        return service

    def _add_container(
        self, definition: ecs.TaskDefinition, name: str, environment: dict[str, str] | None
    ) -> ecs.ContainerDefinition:
        return definition.add_container(
            name,
            image=self._image,
            memory_limit_mib=512,
            command=["python3", "-m", f"shop.{name.replace('-', '_')}"],
            environment=environment,
            health_check=_IS_HEALTHY if name == "orders" else None,
            logging=ecs.LogDrivers.aws_logs(stream_prefix="services", log_group=self._log),
        )
