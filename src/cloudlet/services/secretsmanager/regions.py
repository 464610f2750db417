"""Regions that secrets are replicated to, as requests name them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from cloudlet.core.aws.arn import partition_of
from cloudlet.services.secretsmanager import errors
from cloudlet.services.secretsmanager.encryption import clean_key
from cloudlet.services.secretsmanager.secret_record import Secret


def read_regions(primary: Secret, given: Iterable[Mapping[str, str]] | None) -> dict[str, str]:
    """Return the KMS keys of new replicas, by region. Raises InvalidParameter."""
    regions: dict[str, str] = {}
    for each in given or ():
        region = each.get("Region")
        if not region or region in regions or region == primary.region:
            raise errors.InvalidParameter("Invalid replica region.")
        if partition_of(region) != partition_of(primary.region):
            raise errors.InvalidParameter("Invalid replica region.")
        regions[region] = clean_key(each.get("KmsKeyId"))
    return regions
