"""Findings of the last scan of an image in the store, the most severe first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from cloudlet.core import Subspace, Transaction
from cloudlet.core.aws import listing
from cloudlet.services.ecr import errors
from cloudlet.services.ecr.scan_record import Finding

SPACE: Final = Subspace("scan-finding")
"""Repository's id, digest of the image, number → a finding."""
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Finding).decode


def add(tx: Transaction, repository: str, digest: str, first: int, found: Sequence[Finding]) -> None:
    """Write findings from a number on."""
    for number, finding in enumerate(found, first):
        tx.put(SPACE.key(repository, digest, number), _encode(finding))


def remove(tx: Transaction, repository: str, digest: str, first: int = 0) -> None:
    """Delete the findings of an image from a number on."""
    rows = SPACE.sub(repository, digest)
    tx.delete_range(rows.key(first), rows.end)


async def list_page(
    tx: Transaction, repository: str, digest: str, token: str | None, limit: int
) -> tuple[list[dict[str, Any]], str | None]:
    """Return findings as the API shows them, and the next page's token. Raises InvalidNextToken."""
    rows, following = await listing.list_rows(
        tx, SPACE.sub(repository, digest), token, limit, errors.InvalidNextToken()
    )
    return [_show(_decode(raw)) for _, raw in rows], following


def _show(finding: Finding) -> dict[str, Any]:
    return {
        "name": finding.name,
        "description": finding.description or None,
        "uri": finding.uri or None,
        "severity": finding.severity,
        "attributes": [{"key": key, "value": value} for key, value in finding.attributes.items()],
    }
