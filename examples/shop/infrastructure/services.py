"""The shop's services on Amazon ECS, in a network of their own."""

from __future__ import annotations

from typing import Any

from aws_cdk import CfnOutput, Duration
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_elasticloadbalancingv2 as balancing
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from aws_cdk import aws_servicediscovery as discovery
from constructs import Construct
from shop import names

from infrastructure import roles
from infrastructure.mesh import Mesh
from infrastructure.parameters import Parameters

NAMES = ("orders", "outbox", "payments", "inventory", "email", "on-call")
_REPORTING = ("payments", "inventory", "email")
_ORDERS_CHECK = ecs.HealthCheck(
    command=[
        "CMD",
        "python3",
        "-c",
        f"from urllib.request import urlopen; urlopen('http://127.0.0.1:{names.PORT}/health')",
    ],
    start_period=Duration.minutes(2),
)
_ORDERS = {"SHOP_ORDERS": f"http://{names.ORDERS_HOST}:{names.PORT}"}


class Services(Construct):
    """`needed` is what has to be there before services start."""

    def __init__(
        self, scope: Construct, id: str, parameters: Parameters, log: logs.ILogGroup, needed: list[Construct]
    ) -> None:
        super().__init__(scope, id)
        self._parameters = parameters
        self._needed = needed
        self._log = log
        # What is signed for customers is for the S3 that they see.
        self._pictures = {"AWS_ENDPOINT_URL_S3": parameters.s3.value_as_string}
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
        meshed = {name: ["AWSAppMeshEnvoyAccess"] for name in ("orders", *_REPORTING)}
        self._roles = {
            name: roles.create(self, name, "ecs-tasks.amazonaws.com", *meshed.get(name, ())) for name in NAMES
        }
        self._cluster = ecs.Cluster(self, "Cluster", cluster_name=names.CLUSTER, vpc=self._vpc)
        namespace = self._cluster.add_default_cloud_map_namespace(
            name=names.NETWORK, type=discovery.NamespaceType.DNS_PRIVATE
        )
        found = discovery.Service(
            self,
            "Found",
            namespace=namespace,
            name="orders",
            dns_record_type=discovery.DnsRecordType.A,
            dns_ttl=Duration.seconds(5),
        )
        # AWS has ended App Mesh: there `-c mesh=no` does without.
        has_mesh = self.node.try_get_context("mesh") != "no"
        self._mesh = Mesh(self, "Mesh", log, found, callers=_REPORTING) if has_mesh else None
        self._workers = ec2.SecurityGroup(self, "Workers", vpc=self._vpc, description="Whom nobody calls")
        called = ec2.SecurityGroup(self, "Called", vpc=self._vpc, description="Whom the workers report to")
        called.add_ingress_rule(self._workers, ec2.Port.tcp(names.PORT), "What a service did")

        unsteady = {"SHOP_UNSTEADY": parameters.unsteady.value_as_string}
        self._create("orders", called, {**self._pictures, **unsteady}).associate_cloud_map_service(service=found)
        self._create_front()
        self._create("outbox", self._workers)
        self._create("payments", self._workers, {**_ORDERS, "SHOP_CURRENCIES": parameters.currencies.value_as_string})
        self._create("inventory", self._workers, _ORDERS)
        self._create("email", self._workers, _ORDERS)
        self._create("on-call", self._workers)

    def _create_front(self) -> None:
        """Create the customers' door: the module `orders` once more, behind a load balancer with TLS.

        A new version gets a tenth of the requests for a minute, then all of them; a minute later the old one goes.
        """
        group = ec2.SecurityGroup(self, "Behind", vpc=self._vpc, description="Who is behind the load balancer")
        balancer = balancing.ApplicationLoadBalancer(
            self, "Balancer", load_balancer_name="shop", vpc=self._vpc, internet_facing=True
        )
        group.connections.allow_from(balancer, ec2.Port.tcp(names.PORT))
        blue, green = (self._create_targets(name) for name in ("blue", "green"))
        balancer.add_redirect()
        listener = balancer.add_listener(
            "Https",
            port=443,
            certificates=[balancing.ListenerCertificate.from_arn(self._parameters.certificate.value_as_string)],
            default_action=balancing.ListenerAction.fixed_response(404),
        )
        rule = balancing.ApplicationListenerRule(
            self,
            "Everything",
            listener=listener,
            priority=1,
            conditions=[balancing.ListenerCondition.path_patterns(["/*"])],
            action=balancing.ListenerAction.weighted_forward(
                [
                    balancing.WeightedTargetGroup(target_group=blue, weight=100),
                    balancing.WeightedTargetGroup(target_group=green, weight=0),
                ]
            ),
        )
        front = self._create(
            "front",
            group,
            {**self._pictures, "SHOP_VERSION": self._parameters.version.value_as_string},
            deployment_strategy=ecs.DeploymentStrategy.CANARY,
            bake_time=Duration.minutes(1),
            canary_configuration=ecs.TrafficShiftConfig(step_percent=10, step_bake_time=Duration.minutes(1)),
        )
        alternate = ecs.AlternateTarget(
            "Alternate",
            alternate_target_group=green,
            production_listener=ecs.ListenerRuleConfiguration.application_listener_rule(rule),
        )
        front.load_balancer_target(
            container_name="front", container_port=names.PORT, alternate_target=alternate
        ).attach_to_application_target_group(blue)
        for name, value, description in (
            ("Front", balancer.load_balancer_dns_name, "The load balancer, to which the customers' domain is to lead"),
            ("Domain", self._parameters.domain.value_as_string, "The customers' domain"),
        ):
            CfnOutput(self, f"{name}Output", value=value, description=description).override_logical_id(name)

    def _create_targets(self, name: str) -> balancing.ApplicationTargetGroup:
        return balancing.ApplicationTargetGroup(
            self,
            name,
            target_group_name=f"shop-{name}",
            vpc=self._vpc,
            port=names.PORT,
            protocol=balancing.ApplicationProtocol.HTTP,
            target_type=balancing.TargetType.IP,
            deregistration_delay=Duration.seconds(5),
            health_check=balancing.HealthCheck(
                path="/health", interval=Duration.seconds(5), timeout=Duration.seconds(2), healthy_threshold_count=2
            ),
        )

    def _create(
        self, name: str, group: ec2.SecurityGroup, environment: dict[str, str] | None = None, **more: Any
    ) -> ecs.FargateService:
        """Create a service that runs the module of its name."""
        definition = ecs.FargateTaskDefinition(
            self,
            f"{name}Definition",
            family=f"shop-{name}",
            # With less a program takes long to start.
            cpu=512,
            memory_limit_mib=1024,
            task_role=self._roles["orders" if name == "front" else name],
            execution_role=self._execution,
            proxy_configuration=self._mesh.proxy(name) if self._mesh else None,
        )
        program = definition.add_container(
            name,
            image=self._image,
            command=["python3", "-m", f"shop.{'orders' if name == 'front' else name.replace('-', '_')}"],
            environment=environment,
            port_mappings=[ecs.PortMapping(container_port=names.PORT)] if name in ("front", "orders") else None,
            logging=ecs.LogDrivers.aws_logs(stream_prefix="services", log_group=self._log),
            # Who reports finds it ready: nobody else looks whether it is, as a load balancer does at the front.
            health_check=_ORDERS_CHECK if name == "orders" else None,
        )
        if self._mesh:
            self._mesh.add_envoy(name, definition, program)
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
