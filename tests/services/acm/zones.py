"""Hosted zones that answer as Route 53 does."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from cloudlet.core.kernel.service import Params, Result


@dataclass
class Zones:
    """Hosted zones, by id: their names, and records by names, each a type and a value."""

    zones: dict[str, tuple[str, dict[str, tuple[str, str]]]]
    private: set[str] = field(default_factory=set)

    async def call(self, operation: str, params: Params) -> Result:
        """Answer with what comes from a name on, in an order that begins with the last label."""
        if operation == "ListHostedZonesByName":
            begin = params["DNSName"].split(".")[::-1]
            later = [
                {"Id": f"/hostedzone/{id}", "Name": f"{name}.", "Config": {"PrivateZone": id in self.private}}
                for id, (name, _) in sorted(self.zones.items(), key=lambda zone: zone[1][0].split(".")[::-1])
                if name.split(".")[::-1] >= begin
            ]
            return {"HostedZones": later[: int(params["MaxItems"])]}
        assert operation == "ListResourceRecordSets"
        records: list[dict[str, Any]] = [
            {"Name": f"{name}.", "Type": kind, "ResourceRecords": [{"Value": value}]}
            for name, (kind, value) in sorted(self.zones[params["HostedZoneId"]][1].items())
            if name >= params["StartRecordName"]
        ]
        return {"ResourceRecordSets": records[: int(params["MaxItems"])]}
