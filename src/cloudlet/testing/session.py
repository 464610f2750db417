"""A boto3 session that leads to a Cloudlet."""

from __future__ import annotations

from typing import Any

import boto3


class Session(boto3.Session):  # type: ignore[misc]
    """Its clients and resources come to `endpoint`, as one account: none reaches AWS because it was told of no URL."""

    def __init__(self, endpoint: str, account: str, region: str) -> None:
        super().__init__(
            aws_access_key_id=account,
            aws_secret_access_key="test",  # noqa: S106
            region_name=region,
        )
        self._endpoint = endpoint

    def client(self, *arguments: Any, endpoint_url: str | None = None, **options: Any) -> Any:
        """Return a client; resources make theirs by this, too."""
        return super().client(*arguments, endpoint_url=endpoint_url or self._endpoint, **options)
