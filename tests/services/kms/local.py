"""KMS within the test's own process, where permissions are enforced."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cloudlet.core.kernel.cloud import Config
from cloudlet.core.kernel.identity import Principal, root
from tests.in_process import InProcess

ACCOUNT = "111122223333"
OTHER = "444455556666"
REGION = "us-east-1"
ALICE = Principal("user", ACCOUNT, f"arn:aws:iam::{ACCOUNT}:user/alice", "AIDAALICE")
BOB = Principal("user", OTHER, f"arn:aws:iam::{OTHER}:user/bob", "AIDABOB")
SESSION = Principal("assumed-role", ACCOUNT, f"arn:aws:sts::{ACCOUNT}:assumed-role/app/session", "AROAAPP:session")
ROLE = f"arn:aws:iam::{ACCOUNT}:role/app"


class LocalKms(InProcess):
    """Calls KMS as any principal."""

    block = "kms"

    def __init__(self, folder: Path) -> None:
        super().__init__(Config(data=folder, auth="strict", durable=False))

    def call(self, operation: str, *, by: Principal | None = None, source_arn: str = "", **params: Any) -> Any:
        """Call an operation and return its result. Raises AwsError."""
        caller = by or root(ACCOUNT)
        made = self.cloud.call(
            "kms",
            operation,
            params,
            principal=caller,
            account=caller.account,
            region=REGION,
            source_arn=source_arn,
        )
        return self.run(made) or {}

    def create_key(self, **params: Any) -> str:
        """Create a key and return its ARN."""
        return str(self.call("CreateKey", **params)["KeyMetadata"]["Arn"])
