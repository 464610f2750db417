"""Cloud Map of an account, and what tests do with it again and again."""

from __future__ import annotations

from itertools import count
from typing import Any

from botocore.config import Config

from cloudlet.testing.server import Aws
from tests.services.route53.zone_cloud import ZoneCloud
from tests.standing import eventually

_numbers = count()


class MapCloud(ZoneCloud):
    """Clients of one account."""

    def __init__(self, aws: Aws) -> None:
        super().__init__(aws)
        self.map: Any = aws.client("servicediscovery", config=Config(inject_host_prefix=False))

    def finish(self, operation: str) -> dict[str, Any]:
        """Wait until an operation has ended; return it."""
        found: dict[str, Any] = eventually(
            lambda: self.map.get_operation(OperationId=operation)["Operation"],
            lambda found: found["Status"] in ("SUCCESS", "FAIL"),
        )
        return found

    def succeed(self, operation: str) -> dict[str, Any]:
        """Wait until an operation has succeeded; return it."""
        found = self.finish(operation)
        assert found["Status"] == "SUCCESS", found
        return found

    def create_namespace(self, kind: str = "public_dns", name: str | None = None, **more: Any) -> str:
        """Create a namespace; return its id."""
        name = name or f"m{next(_numbers)}.example"
        if kind == "private_dns":
            more.setdefault("Vpc", "vpc-1234")
        operation = getattr(self.map, f"create_{kind}_namespace")(Name=name, **more)["OperationId"]
        namespace: str = self.succeed(operation)["Targets"]["NAMESPACE"]
        return namespace

    def create_service(self, namespace: str, name: str = "web", *types: str, ttl: int = 60, **more: Any) -> str:
        """Create a service with records of some types; return its id."""
        if types:
            records = [{"Type": kind, "TTL": ttl} for kind in types]
            more["DnsConfig"] = {"DnsRecords": records, **more.get("DnsConfig", {})}
        service: str = self.map.create_service(Name=name, NamespaceId=namespace, **more)["Service"]["Id"]
        return service

    def register(self, service: str, name: str = "one", **attributes: str) -> None:
        """Register an instance, and wait until that is done."""
        made = self.map.register_instance(ServiceId=service, InstanceId=name, Attributes=attributes)
        self.succeed(made["OperationId"])

    def get_title(self, namespace: str) -> str:
        title: str = self.map.get_namespace(Id=namespace)["Namespace"]["Name"]
        return title

    def get_zone(self, namespace: str) -> str:
        properties = self.map.get_namespace(Id=namespace)["Namespace"]["Properties"]
        zone: str = properties["DnsProperties"]["HostedZoneId"]
        return zone

    def discover(self, namespace: str, name: str = "web", **more: Any) -> list[str]:
        """Return the ids of instances that are discovered, in order."""
        found = self.map.discover_instances(NamespaceName=self.get_title(namespace), ServiceName=name, **more)
        return sorted(each["InstanceId"] for each in found["Instances"])

    def list_published(self, namespace: str) -> list[dict[str, Any]]:
        """Return the records of a namespace's zone but those that each zone has."""
        return [each for each in self.list_records(self.get_zone(namespace)) if each["Type"] not in ("NS", "SOA")]
