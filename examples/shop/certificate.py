"""The certificate of the customers' domain: AWS Certificate Manager issues it to whom the domain's zone belongs."""

from __future__ import annotations

from typing import Any

import boto3
from waiting import wait


class Certificate:
    """The certificate of a domain, whose hosted zone is here in Amazon Route 53."""

    def __init__(self, domain: str) -> None:
        self._domain = domain
        self._acm, self._route53 = boto3.client("acm"), boto3.client("route53")

    def request(self) -> str:
        """Request the certificate, and show that the domain is ours; return its ARN. It is the same one each time."""
        arn = str(
            self._acm.request_certificate(
                DomainName=self._domain,
                ValidationMethod="DNS",
                KeyAlgorithm="EC_prime256v1",
                IdempotencyToken="shop",
            )["CertificateArn"]
        )
        if self._describe(arn)["Status"] != "ISSUED":
            record = wait("the record that is asked for", lambda: self._find_record(arn))
            zone = self._find_zone() or self._create_zone()
            self._change("UPSERT", zone, {**record, "TTL": 60})
        return arn

    def wait(self, arn: str) -> None:
        """Return once the certificate is issued."""
        wait("the certificate", lambda: self._describe(arn)["Status"] == "ISSUED")

    def remove(self) -> None:
        """Delete the certificate, which nobody uses any more, and the zone."""
        for page in self._acm.get_paginator("list_certificates").paginate(Includes={"keyTypes": ["EC_prime256v1"]}):
            for each in page["CertificateSummaryList"]:
                if each["DomainName"] == self._domain:
                    self._acm.delete_certificate(CertificateArn=each["CertificateArn"])
        if zone := self._find_zone():
            for record in self._route53.list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]:
                if record["Type"] == "CNAME":
                    self._change("DELETE", zone, record)
            self._route53.delete_hosted_zone(Id=zone)

    def _describe(self, arn: str) -> dict[str, Any]:
        return dict(self._acm.describe_certificate(CertificateArn=arn)["Certificate"])

    def _find_record(self, arn: str) -> dict[str, Any] | None:
        """Return the record by which ACM sees whose the domain is. It is known a moment after the request."""
        [validation] = self._describe(arn).get("DomainValidationOptions") or [{}]
        record = validation.get("ResourceRecord")
        return record and {
            "Name": record["Name"],
            "Type": record["Type"],
            "ResourceRecords": [{"Value": record["Value"]}],
        }

    def _find_zone(self) -> str | None:
        zones = self._route53.list_hosted_zones_by_name(DNSName=self._domain, MaxItems="1")["HostedZones"]
        return next((zone["Id"] for zone in zones if zone["Name"] == f"{self._domain}."), None)

    def _create_zone(self) -> str:
        return str(self._route53.create_hosted_zone(Name=self._domain, CallerReference="shop")["HostedZone"]["Id"])

    def _change(self, action: str, zone: str, record: dict[str, Any]) -> None:
        changes = [{"Action": action, "ResourceRecordSet": record}]
        self._route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": changes})
