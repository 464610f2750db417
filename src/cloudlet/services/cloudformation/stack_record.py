"""Records of stacks, of the targets of operations, and of resources."""

from __future__ import annotations

from typing import Any

import msgspec

from cloudlet.core.aws.arn import partition_of
from cloudlet.core.aws.resources.caller import Caller
from cloudlet.services.cloudformation.rollback_configuration import RollbackConfiguration
from cloudlet.services.cloudformation.templates.parameters import Value


class Target(msgspec.Struct, frozen=True):
    """The state that an operation brings a stack to."""

    id: str
    template: str
    """The template as it was given."""
    processed: str
    """After transforms, as JSON."""
    values: dict[str, Value] = {}
    """The values of parameters."""
    tags: dict[str, str] = {}
    capabilities: list[str] = []
    notification_arns: list[str] = []
    has_language_extensions: bool = False
    failure: str = ""
    """The reason that a transform failed for: it cannot be applied."""


class Output(msgspec.Struct, frozen=True):
    """An output of a stack."""

    key: str
    value: str
    description: str = ""
    export: str = ""


class Operation(msgspec.Struct, frozen=True):
    """The operation that a stack is in, or was in last."""

    id: str
    token: str = ""
    """The ClientRequestToken of the request."""
    target: str = ""
    """The target that it applies."""
    caller: Caller | None = None
    on_failure: str = "ROLLBACK"
    deadline: float = 0.0
    """The time at which it is given up; 0 for never."""
    started: float = 0.0
    retained: list[str] = []
    """The resources that are not deleted, or not rolled back."""
    is_cancelled: bool = False
    retain_except_on_create: bool = False
    imports_existing: bool = False
    """Whether resources that have the names of retained ones become the stack's."""
    imported: dict[str, dict[str, str]] = {}
    """The identifiers of resources that become the stack's, by logical ids."""
    monitored_until: float = 0.0
    """The time until which alarms count once all is done; 0 before."""
    skipped: list[str] = []
    """The resources that a rollback goes on without, with the stack's name for nested ones."""
    is_forced: bool = False
    """Whether a stack is deleted though resources of it cannot be."""
    cancelling: str = ""
    """The ClientRequestToken of the request that cancelled it."""
    is_continued: bool = False
    """Whether it is a rollback that had failed, and goes on."""
    kind: str = ""
    """The type that DescribeEvents tells: CREATE_STACK, ROLLBACK …"""
    following: str = ""
    """The id of a rollback, or of what else follows on a failure."""
    following_kind: str = ""
    """The type of what follows."""
    following_started: float = 0.0
    errors: int = 0
    """The number of errors that early validation has found: it fails for them."""
    status_before: str = ""
    """The state before a deletion, which is refused while others import from the stack."""
    awaited: str = ""
    """The parent's operation, whose end cleaning up waits for."""
    former: str = ""
    """The target before, as long as that operation may roll back."""
    former_outputs: list[Output] = []

    @property
    def current_id(self) -> str:
        """The id of what is done now."""
        return self.following or self.id

    @property
    def current_started(self) -> float:
        """The time at which what is done now began."""
        return self.following_started or self.started


class Stack(msgspec.Struct, frozen=True):
    """A stack. Times are in seconds since the epoch."""

    account: str
    region: str
    id: str
    """The last part of its ARN."""
    name: str
    status: str
    created: float
    reason: str = ""
    updated: float = 0.0
    deleted: float = 0.0
    target: str = ""
    """The target that it has; that of an update only once it is applied."""
    operation: Operation = Operation("")
    description: str = ""
    role: str = ""
    outputs: list[Output] = []
    is_protected: bool = False
    policy: str = ""
    timeout_minutes: int = 0
    on_failure: str = "ROLLBACK"
    parent: str = ""
    root: str = ""
    change_set: str = ""
    notification_arns: list[str] = []
    policy_during_update: str = ""
    """The stack policy that counts for the running update alone."""
    drift: str = "NOT_CHECKED"
    """Whether it has drifted, as the last detection has found."""
    drift_checked: float = 0.0
    detection: str = ""
    """The id of the last detection of drift."""
    rollback: RollbackConfiguration = RollbackConfiguration()

    @property
    def arn(self) -> str:
        partition = partition_of(self.region)
        return f"arn:{partition}:cloudformation:{self.region}:{self.account}:stack/{self.name}/{self.id}"


class Instance(msgspec.Struct, frozen=True):
    """A resource that there is, or that is being made or changed."""

    physical_id: str
    properties: dict[str, Any]
    """The properties that it was asked for with; dynamic references stay references."""
    attributes: dict[str, Any] = {}
    made_up: str = ""
    """The property that is its name, where the template does not give it."""


class Resource(msgspec.Struct, frozen=True):
    """A logical resource of a stack."""

    account: str
    region: str
    stack: str
    """The id of its stack."""
    name: str
    """The logical id."""
    type: str
    status: str = ""
    reason: str = ""
    updated: float = 0.0
    instance: Instance | None = None
    """The resource that it is; None before it is made."""
    making: Instance | None = None
    """The resource that is being made, or the same one as it is to be."""
    is_made: bool = False
    """Whether the call that makes or updates `making` has been answered."""
    before: Instance | None = None
    """The resource as it was before the running operation changed or replaced it."""
    made_by: str = ""
    """The operation that made it, or tried to."""
    done: str = ""
    """The operation and the work of it that are done for this resource."""
    failed: str = ""
    """The operation and the work of it that failed for this resource."""
    token: str = ""
    """The token of the calls that are being made."""
    started: float = 0.0
    dependencies: list[str] = []
    deletion_policy: str = "Delete"
    update_replace_policy: str = "Delete"
    metadata: str = ""
    """The metadata of the template, as JSON."""
    creation_policy: str = ""
    """The CreationPolicy of the template, as JSON."""

    @property
    def physical_id(self) -> str:
        for one in (self.making, self.instance):
            if one is not None and one.physical_id:
                return one.physical_id
        return ""


class Validation(msgspec.Struct, frozen=True):
    """A finding of early validation."""

    name: str
    """NAME_CONFLICT_VALIDATION, PROPERTY_VALIDATION …"""
    reason: str
    path: str
    """The place in the template, such as `/Resources/Orders/Properties`."""
    resource: str
    """The logical id."""
    type: str
    physical_id: str = ""
    mode: str = "FAIL"
    """FAIL, or WARN where the operation goes on."""


class Event(msgspec.Struct, frozen=True):
    """An event of a stack."""

    id: str
    name: str
    """The logical id; the stack's name for events of the stack."""
    type: str
    physical_id: str
    status: str
    time: float
    reason: str = ""
    properties: str = ""
    token: str = ""
    operation: str = ""
    is_hidden: bool = False
    """Whether DescribeEvents alone shows it."""
    started: float = 0.0
    """The time at which the operation began, of events of the stack itself."""
    validation: Validation | None = None


class Export(msgspec.Struct, frozen=True):
    """A value that a stack exports."""

    account: str
    region: str
    name: str
    stack: str
    """The id of the stack."""
    stack_name: str
    value: str
