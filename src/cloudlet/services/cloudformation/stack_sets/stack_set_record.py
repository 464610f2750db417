"""Records of stack sets, their instances, operations, and the results of these."""

from __future__ import annotations

import msgspec

from cloudlet.core.aws.arn import partition_of


class DriftDetails(msgspec.Struct, frozen=True):
    """The result of detecting drift of a set. Times are in seconds since the epoch."""

    status: str = "NOT_CHECKED"
    detection: str = ""
    """IN_PROGRESS, COMPLETED, PARTIAL_SUCCESS, FAILED or STOPPED."""
    checked: float = 0.0
    total: int = 0
    drifted: int = 0
    in_sync: int = 0
    in_progress: int = 0
    failed: int = 0


class StackSet(msgspec.Struct, frozen=True):
    """A stack set. Times are in seconds since the epoch."""

    account: str
    """The administrator account."""
    region: str
    name: str
    id: str
    """The last part of its id, a UUID."""
    template: str
    created: float
    status: str = "ACTIVE"
    description: str = ""
    parameters: dict[str, str] = {}
    capabilities: list[str] = []
    tags: dict[str, str] = {}
    administration_role: str = ""
    """The ARN that was given; empty for the usual one."""
    execution_role: str = ""
    """The name that was given; empty for the usual one."""
    is_managed: bool = False
    """Whether operations that do not conflict run concurrently, and others queue."""
    token: str = ""
    """The ClientRequestToken of the request that made it."""
    drift: DriftDetails = DriftDetails()
    """The result of the last detection that is over."""

    @property
    def full_id(self) -> str:
        """The id as the API has it."""
        return f"{self.name}:{self.id}"

    @property
    def arn(self) -> str:
        partition = partition_of(self.region)
        return f"arn:{partition}:cloudformation:{self.region}:{self.account}:stackset/{self.full_id}"


class Target(msgspec.Struct, frozen=True, order=True):
    """The account and the region of a stack instance."""

    account: str
    region: str


class StackInstance(msgspec.Struct, frozen=True):
    """A stack instance: it binds a stack in an account's region to a set."""

    target: Target
    stack_name: str
    """The name that its stack has, or will have."""
    stack_id: str = ""
    """The ARN of its stack; empty while there is none."""
    overrides: dict[str, str] = {}
    status: str = "OUTDATED"
    detailed: str = "PENDING"
    reason: str = ""
    operation: str = ""
    """The last operation on it."""
    drift: str = "NOT_CHECKED"
    drift_checked: float = 0.0


class Preferences(msgspec.Struct, frozen=True):
    """The way of an operation from account to account and region to region."""

    regions: list[str] = []
    """The regions in the order that was asked for."""
    is_parallel: bool = False
    """Whether all regions have their turn at once."""
    tolerance_count: int | None = None
    tolerance_percentage: int | None = None
    concurrency_count: int | None = None
    concurrency_percentage: int | None = None
    is_soft: bool = False
    """Whether failures do not lower the concurrency."""


class Operation(msgspec.Struct, frozen=True):
    """An operation on a set."""

    id: str
    action: str
    """CREATE, UPDATE, DELETE or DETECT_DRIFT."""
    status: str
    order: int
    """The place among the operations of the set, in milliseconds since the epoch."""
    created: float
    preferences: Preferences = Preferences()
    is_retaining: bool = False
    """Whether stacks are kept as their instances are deleted."""
    administration_role: str = ""
    execution_role: str = ""
    ended: float = 0.0
    reason: str = ""
    is_import: bool = False
    fingerprint: str = ""
    """A digest of the request: another one may not have the same operation id."""

    @property
    def sequence(self) -> tuple[int, str]:
        return self.order, self.id


class Result(msgspec.Struct, frozen=True):
    """The part of an operation that is about one instance."""

    target: Target
    status: str = "PENDING"
    reason: str = ""
    step: str = ""
    """The call to the account's CloudFormation: "create", "update", "delete" or "detect"."""
    token: str = ""
    """The token of that call, or the id of the detection."""
    is_called: bool = False
    """Whether that call was answered."""
    started: float = 0.0
    gate: str = ""
    """The status that the account gate gave."""
    gate_reason: str = ""
    drift: str = ""
    """The drift of the instance's stack, where it was detected."""
