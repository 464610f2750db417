"""Carrying out what stacks are to become: the reconciler of stacks.

What is left to do follows from the stack's state, its target and the records of its resources; see `states` for which
work a state stands for, and `provisioning_steps` for the way of one resource.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from time import perf_counter
from typing import Any, Final

from msgspec.structs import replace

from cloudlet.core import AwsError, Transaction
from cloudlet.core.aws.resources.failures import ProvisioningError, ReasonedError
from cloudlet.core.aws.tags import is_system_key
from cloudlet.core.background.reconciler import Key, Reconciler
from cloudlet.core.kernel.block import Block
from cloudlet.services.cloudformation import errors, exporting, stack_policies, stacks, states
from cloudlet.services.cloudformation.compiling import (
    NESTED,
    CompiledTarget,
    compile_target,
    get_schema,
    is_custom,
    list_hidden,
)
from cloudlet.services.cloudformation.drift import drift_record
from cloudlet.services.cloudformation.operations import monitoring, nested_updates
from cloudlet.services.cloudformation.operations.comparing import add_made_up_name, needs_replacement
from cloudlet.services.cloudformation.operations.provisioning_steps import Steps
from cloudlet.services.cloudformation.provisioning.handlers import Later
from cloudlet.services.cloudformation.stack_record import Resource, Stack
from cloudlet.services.cloudformation.templates.functions import Scope
from cloudlet.store import StoreError

log = logging.getLogger("cloudlet.cloudformation")

MAX_CONCURRENT_RESOURCES: Final = 40
MAX_ACCOUNT_OPERATIONS: Final = 4
MAX_SERVICE_TIMEOUT_SECONDS: Final = 3600
_WHOLE_NUMBER: Final = re.compile("[0-9]{1,6}")
_PATIENCE_SECONDS: Final = 1.0
_LOOK_SECONDS: Final = 0.25
_HELD_SECONDS: Final = 2.0
_NESTED_SECONDS: Final = 0.1
_MINUTE_SECONDS: Final = 60.0
_INVALID: Final = (
    "Validation failed with {} error(s). Call DescribeEvents to retrieve the full list of issues with resource and "
    "property details, resolve each error, then retry the operation."
)
_CANCELLED: Final = "User Initiated"
_REPLACING: Final = "Requested update requires the creation of a new physical resource; hence creating one."


class _StackFailure(Exception):
    """The operation cannot go on, by no resource's fault."""


class _DeletionConflict(Exception):
    """Others import what the stack exports: it stays as it is."""


class _SupersedingOperation(Exception):
    """Another operation has begun meanwhile: a stack that is being made may be deleted."""


async def _carry_out(block: Block, key: Key) -> float | None:
    """Carry out what a stack's state stands for, as far as it goes now."""
    account, region, stack_id = key

    async def load(tx: Transaction) -> tuple[Stack, dict[str, Resource]] | float | None:
        stack = await stacks.find(tx, account, region, stack_id)
        if stack is None or not states.is_in_progress(stack.status):
            return None
        if await nested_updates.is_held(tx, stack):
            return _HELD_SECONDS
        return stack, await stacks.list_resources(tx, block.cloud.vault, stack)

    found = await block.store.transact(load)
    if found is None or isinstance(found, float):
        return found
    return await _Run(block, *found).run()


STACKS: Final = Reconciler(
    "stacks", _carry_out, max_concurrency=2 * MAX_ACCOUNT_OPERATIONS, patience_seconds=_PATIENCE_SECONDS
)


def request(tx: Transaction, stack: Stack) -> None:
    """Have a stack carried on once this transaction is committed."""
    STACKS.request(tx, stack.account, stack.region, stack.id)


class _Run:
    """One phase of one stack's operation."""

    def __init__(self, block: Block, stack: Stack, resources: dict[str, Resource]) -> None:
        self._block = block
        self._stack = stack
        self._phase = states.PHASES[stack.status]
        self._steps = Steps(block, stack, f"{stack.operation.id}:{self._phase.work}", resources)
        self._failed: dict[str, str] = {}
        """The reasons of failures, by the resources' names."""
        self._imports: dict[str, str] = {}
        self._interruption: Exception | None = None
        """The reason to begin no other resource."""
        self._looked = perf_counter()

    async def run(self) -> float | None:
        try:
            compiled, former = await self._load_targets()
            if self._phase.work == "apply" and (count := self._stack.operation.errors):
                raise _StackFailure(_INVALID.format(count))
            tasks, dependencies = await self._plan(compiled, former)
            pause = await self._run_tasks(tasks, dependencies)
            if pause is not None:
                return self._shorten(pause)
            if self._failed and self._phase.work != "clean-up" and not self._is_forced():
                return await self._fail(self._describe_failures())
            if self._phase.work == "apply" and (pause := await self._monitor()) is not None:
                return pause
            return await self._succeed(compiled)
        except _StackFailure as failure:
            return await self._fail(str(failure))
        except _DeletionConflict as refusal:
            return await self._move(self._stack.operation.status_before or "DELETE_FAILED", str(refusal))
        except _SupersedingOperation:
            return 0

    def _shorten(self, pause: float) -> float:
        """Return a pause that ends with the time that the operation has."""
        deadline = self._stack.operation.deadline
        if self._phase.work == "apply" and self._stack.rollback.triggers:
            pause = min(pause, monitoring.WATCH_SECONDS)
        return min(pause, max(0.0, deadline - self._block.clock.now())) if deadline else pause

    async def _load_targets(self) -> tuple[CompiledTarget | None, CompiledTarget | None]:
        """Return the target that the operation applies, and the one that the stack has."""
        stack = self._stack

        async def load(tx: Transaction) -> list[Any]:
            vault, names = self._block.cloud.vault, (stack.operation.target, stack.target)
            return [await stacks.find_target(tx, vault, stack, name) for name in names]

        found = await self._block.store.transact(load)
        try:
            compiled = [
                None
                if target is None or (target.failure and self._phase.work != "apply")
                # What a failed transform would have made there is nothing of.
                else compile_target(stack, target)
                for target in found
            ]
        except AwsError as error:
            if self._phase.work == "remove":
                return None, None
            raise _StackFailure(error.message) from None
        self._steps.hidden = [text for target in found if target is not None for text in list_hidden(target)]
        return compiled[0], compiled[1]

    # The plan

    async def _plan(
        self, compiled: CompiledTarget | None, former: CompiledTarget | None
    ) -> tuple[dict[str, Callable[[], Awaitable[None]]], Mapping[str, list[str]]]:
        """Return the task of each resource, and the resources that it waits for."""
        resources = self._steps.resources
        if self._phase.work == "apply":
            assert compiled is not None  # noqa: S101
            self._check_removals(compiled)
            self._imports = await self._bind_imports(compiled)
            scope = self._make_scope(compiled)
            return {name: self._bind_apply(compiled, scope, name) for name in compiled.order}, compiled.dependencies
        if self._phase.work == "revert":
            dependencies = {} if former is None else former.dependencies
            return {name: self._bind_revert(name) for name in resources}, dependencies
        dependents: dict[str, list[str]] = {name: [] for name in resources}
        for name, resource in resources.items():
            for other in resource.dependencies:
                dependents.setdefault(other, []).append(name)
        if self._phase.work == "clean-up":
            wanted = former if self._stack.status.startswith("UPDATE_ROLLBACK") else compiled
            return {name: self._bind_clean_up(name, wanted) for name in resources}, dependents
        await self._check_exports()
        return {name: self._bind_remove(name) for name in resources}, dependents

    def _bind_apply(self, compiled: CompiledTarget, scope: Scope, name: str) -> Callable[[], Awaitable[None]]:
        async def apply() -> None:
            await self._apply(compiled, scope, name)

        return apply

    def _bind_revert(self, name: str) -> Callable[[], Awaitable[None]]:
        async def revert() -> None:
            resource = self._steps.resources[name]
            if self._stack.status != states.IMPORT_ROLLBACK:
                await self._steps.revert(resource)
            else:
                await (self._steps.release(resource) if self._steps.is_new(resource) else self._steps.keep(resource))

        return revert

    def _bind_clean_up(self, name: str, wanted: CompiledTarget | None) -> Callable[[], Awaitable[None]]:
        is_rollback = self._stack.status.startswith("UPDATE_ROLLBACK")

        async def clean_up() -> None:
            resource = self._steps.resources[name]
            is_wanted = wanted is not None and name in wanted.resources
            if is_wanted and not (is_rollback and self._steps.is_new(resource)):
                await self._await_nested(resource)
                is_retained = not is_rollback and resource.update_replace_policy == "Retain"
                await self._steps.clean_up(resource, is_retained=is_retained)
                return
            is_retained = resource.deletion_policy == "Retain" if not is_rollback else self._is_kept_when_new(resource)
            await self._steps.remove(resource, is_retained=is_retained, is_forgotten=True)

        return clean_up

    async def _await_nested(self, resource: Resource) -> None:
        """Have a nested stack clean up, too. Raises Later until it has."""
        stack = self._stack
        if resource.type != NESTED:
            return

        async def release(tx: Transaction) -> bool:
            nested = await stacks.find_by_name(tx, stack.account, stack.region, resource.physical_id)
            is_cleaning = nested is not None and nested.status == states.CLEANING
            if nested is None or not is_cleaning or nested.operation.awaited != stack.operation.id:
                return False
            request(tx, nested)
            return True

        if await self._block.store.transact(release):
            raise Later(_NESTED_SECONDS)

    def _bind_remove(self, name: str) -> Callable[[], Awaitable[None]]:
        operation = self._stack.operation
        is_rollback = self._stack.status == "ROLLBACK_IN_PROGRESS"

        async def remove() -> None:
            resource = self._steps.resources[name]
            if is_rollback:
                is_retained = self._is_kept_when_new(resource)
            else:
                is_retained = name in operation.retained or resource.deletion_policy in (
                    "Retain",
                    "RetainExceptOnCreate",
                )
            await self._steps.remove(resource, is_retained=is_retained, is_forgotten=False)

        return remove

    def _is_kept_when_new(self, resource: Resource) -> bool:
        """Whether a resource that a failed operation made is kept."""
        return resource.deletion_policy == "Retain" and not self._stack.operation.retain_except_on_create

    # Applying

    async def _bind_imports(self, compiled: CompiledTarget) -> dict[str, str]:
        """Lock what the stack imports; return its values."""
        names = compiled.list_imports()
        try:
            return await exporting.bind_imports(self._block, self._stack, names)
        except AwsError as error:
            raise _StackFailure(error.message) from None

    def _make_scope(self, compiled: CompiledTarget) -> Scope:
        return compiled.make_scope(self._get_reference, self._get_attribute, self._get_import)

    def _get_reference(self, name: str) -> str:
        resource = self._steps.resources.get(name)
        if resource is None or resource.instance is None:
            raise errors.make_format_error(
                f"Unresolved resource dependencies [{name}] in the Resources block of the template"
            )
        return resource.instance.physical_id

    def _get_attribute(self, name: str, attribute: str) -> Any:
        resource = self._steps.resources.get(name)
        if resource is None or resource.instance is None:
            raise errors.make_template_error(f"instance of Fn::GetAtt references undefined resource {name}")
        return get_attribute(resource, attribute)

    def _get_import(self, name: str) -> str:
        if name not in self._imports:
            raise errors.make_validation_error(f"No export named {name} found.")
        return self._imports[name]

    async def _apply(self, compiled: CompiledTarget, scope: Scope, name: str) -> None:
        """Make or update a resource, as the target has it."""
        steps, stack, declared = self._steps, self._stack, compiled.resources[name]
        resource = steps.resources.get(name) or Resource(stack.account, stack.region, stack.id, name, declared["Type"])
        if resource.making is not None and resource.instance is None and not steps.is_new(resource):
            # An operation that failed, and was not rolled back, left it.
            left = resource.making if resource.is_made else None
            resource = replace(resource, instance=left, making=None)
        is_update = resource.instance is not None
        resource = replace(
            resource,
            dependencies=compiled.dependencies[name],
            deletion_policy=compiled.resolve_option(name, "DeletionPolicy", "Delete"),
            update_replace_policy=compiled.resolve_option(name, "UpdateReplacePolicy", "Delete"),
            metadata=json.dumps(declared["Metadata"]) if "Metadata" in declared else "",
            creation_policy=json.dumps(scope.resolve(declared["CreationPolicy"]))
            if "CreationPolicy" in declared
            else "",
        )
        steps.resources[name] = resource
        try:
            properties = compiled.resolve_properties(name, scope)
            if resource.making is None and not self._is_unchanged(resource, properties):
                check_properties(name, resource.type, await steps.resolve(properties))
        except AwsError as error:
            raise ReasonedError(error.message) from None
        if name in stack.operation.imported and not is_update:
            tags = get_schema(resource.type).tag_property if compiled.target.tags else ""
            await steps.adopt(resource, properties, stack.operation.imported[name], tags)
            return
        if not is_update:
            await steps.create(resource, properties, "CREATE")
            return
        assert resource.instance is not None  # noqa: S101
        if resource.making is not None:
            is_replacing = resource.making.physical_id != resource.instance.physical_id
            await (steps.create(resource, properties, "UPDATE") if is_replacing else steps.update(resource, properties))
            return
        wanted = add_made_up_name(resource.instance, properties)
        if self._is_unchanged(resource, properties):
            await steps.keep(resource)
        elif needs_replacement(resource.type, resource.instance.properties, wanted):
            self._check_policy("Update:Replace", resource)
            await steps.create(resource, properties, "UPDATE", _REPLACING)
        else:
            self._check_policy("Update:Modify", resource)
            await steps.update(resource, wanted)

    def _is_unchanged(self, resource: Resource, properties: dict[str, Any]) -> bool:
        instance = resource.instance
        return instance is not None and add_made_up_name(instance, properties) == instance.properties

    def _check_policy(self, action: str, resource: Resource) -> None:
        """Raise where the stack's policy does not let an update do something to a resource."""
        policy = self._stack.policy_during_update or self._stack.policy
        if denial := stack_policies.find_denial(policy, action, resource.name, resource.type):
            raise ReasonedError(denial)

    def _check_removals(self, compiled: CompiledTarget) -> None:
        """Raise where the stack's policy forbids a deletion."""
        for name, resource in self._steps.resources.items():
            if name not in compiled.resources and resource.instance is not None:
                try:
                    self._check_policy("Update:Delete", resource)
                except ReasonedError as error:
                    raise _StackFailure(error.reason) from None

    # Alarms

    async def _monitor(self) -> float | None:
        """Return the pause between two looks at the alarms; None once their time is over."""
        stack, clock = self._stack, self._block.clock
        if breach := await monitoring.find_breach(self._steps.invoke, stack.rollback.triggers):
            raise _StackFailure(breach)
        if not stack.rollback.minutes:
            return None
        until = stack.operation.monitored_until
        if not until:
            until = clock.now() + stack.rollback.minutes * _MINUTE_SECONDS
            await self._save_monitored_until(until)
        left = until - clock.now()
        if left <= 0:
            return None
        return min(left, monitoring.WATCH_SECONDS) if stack.rollback.triggers else left

    async def _save_monitored_until(self, until: float) -> None:
        stack = self._stack

        async def save(tx: Transaction) -> None:
            now = await stacks.find(tx, stack.account, stack.region, stack.id)
            if now is not None and self._is_current(now):
                stacks.save(tx, replace(now, operation=replace(now.operation, monitored_until=until)))

        await self._block.store.transact(save)

    # Running

    async def _run_tasks(
        self, tasks: Mapping[str, Callable[[], Awaitable[None]]], dependencies: Mapping[str, list[str]]
    ) -> float | None:
        """Run the tasks that are ready, and those that become so.

        Return after how many seconds to look again, where resources wait.
        """
        phase, resources = self._steps.phase, self._steps.resources
        done = {name for name, one in resources.items() if one.done == phase}
        self._failed = {name: one.reason for name, one in resources.items() if one.failed == phase}
        if self._failed and self._phase.work == "apply":
            # It failed before the process died.
            await self._give_up_waiting()
            return None
        waiting = {name: {*dependencies.get(name, ())} & tasks.keys() for name in tasks if name not in done}
        later: dict[str, float] = {}
        running: dict[asyncio.Task[None], str] = {}
        try:
            while True:
                for name in [name for name, others in waiting.items() if others <= done]:
                    if len(running) >= MAX_CONCURRENT_RESOURCES or self._is_stopping():
                        break
                    running[asyncio.ensure_future(tasks[name]())] = name
                    del waiting[name]
                if not running:
                    break
                ended, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                for task in ended:
                    name = running.pop(task)
                    if await self._conclude(name, task, later):
                        done.add(name)
                if perf_counter() - self._looked > _LOOK_SECONDS:
                    await self._look_for_interruption()
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
        if self._interruption is None:
            await self._look_for_interruption()
        if self._interruption is not None:
            raise self._interruption
        if self._is_stopping():
            await self._give_up_waiting()
            return None
        return min(later.values()) if later else None

    def _is_forced(self) -> bool:
        """Whether the stack is deleted whatever cannot be."""
        return self._phase.work == "remove" and self._stack.operation.is_forced

    def _is_stopping(self) -> bool:
        return self._interruption is not None or (bool(self._failed) and self._phase.work == "apply")

    async def _conclude(self, name: str, task: asyncio.Task[None], later: dict[str, float]) -> bool:
        """Note how a resource ended; return whether what depends on it may go on."""
        try:
            task.result()
        except Later as pause:
            later[name] = pause.seconds
            return False
        except ProvisioningError as error:
            await self._note_failure(name, error.reason)
            return self._is_forced()
        except StoreError:
            raise
        except Exception:
            # It would fail again, and nobody would learn of it.
            log.exception("the resource %s of %s", name, self._stack.arn)
            await self._note_failure(name, "Internal Failure")
            return False
        return True

    async def _note_failure(self, name: str, reason: str) -> None:
        resource = self._steps.resources[name]
        await self._steps.fail(resource, self._get_failure_status(resource), reason)
        self._failed[name] = reason

    def _get_failure_status(self, resource: Resource) -> str:
        if self._phase.work in ("remove", "clean-up"):
            return "DELETE_FAILED"
        if self._stack.status.startswith("IMPORT"):
            return "IMPORT_FAILED" if self._phase.work == "apply" else "IMPORT_ROLLBACK_FAILED"
        return "CREATE_FAILED" if resource.instance is None else "UPDATE_FAILED"

    async def _look_for_interruption(self) -> None:
        """Find out whether the operation has to end before it is done."""
        stack = self._stack
        self._looked = perf_counter()
        now = await self._block.store.transact(lambda tx: stacks.find(tx, stack.account, stack.region, stack.id))
        if not self._is_current(now):
            self._interruption = _SupersedingOperation()
        elif self._phase.work == "apply" and now is not None and now.operation.is_cancelled:
            self._interruption = _StackFailure(_CANCELLED)
        elif self._phase.work == "apply" and 0 < stack.operation.deadline <= self._block.clock.now():
            self._interruption = _StackFailure("Stack creation time exceeded the specified timeout")
        elif self._phase.work == "apply" and stack.rollback.triggers:
            breach = await monitoring.find_breach(self._steps.invoke, stack.rollback.triggers)
            self._interruption = _StackFailure(breach) if breach else None

    def _is_current(self, now: Stack | None) -> bool:
        stack = self._stack
        return now is not None and (now.operation.id, now.status) == (stack.operation.id, stack.status)

    async def _give_up_waiting(self) -> None:
        """Give up the resources that wait for something, as others have failed."""
        for resource in list(self._steps.resources.values()):
            if resource.making is not None and resource.done != self._steps.phase:
                await self._steps.cancel(resource, self._get_failure_status(resource))

    # Ends

    def _describe_failures(self) -> str:
        names = sorted(name for name, reason in self._failed.items() if not reason.startswith("Resource "))
        is_new = self._stack.status == "CREATE_IN_PROGRESS"
        what = {"apply": "create" if is_new else "update", "revert": "update"}.get(self._phase.work, "delete")
        if self._stack.status == "UPDATE_IN_PROGRESS":
            created = [name for name in names if self._steps.resources[name].status == "CREATE_FAILED"]
            what = "create" if created == names else "update"
        elif self._stack.status == states.IMPORT:
            what = "import"
        return f"The following resource(s) failed to {what}: [{', '.join(names or sorted(self._failed))}]. "

    async def _fail(self, reason: str) -> float | None:
        stack = self._stack
        if reason == _CANCELLED or (self._phase.work == "apply" and not self._failed):
            await self._give_up_waiting()
        status = states.get_status_after_failure(stack.status, stack.operation.on_failure)
        if status.endswith("ROLLBACK_IN_PROGRESS") and not stack.operation.errors and reason != _CANCELLED:
            reason = (
                f"{reason.removesuffix(' ')}{'' if reason.rstrip().endswith('.') else '.'} Rollback requested by user."
            )
        return await self._move(status, reason)

    async def _move(self, status: str, reason: str = "") -> float | None:
        """Bring the stack to another state; return the pause of the reconciler's step."""
        stack, block = self._stack, self._block

        async def move(tx: Transaction) -> None:
            now = await stacks.find(tx, stack.account, stack.region, stack.id)
            if now is None or not self._is_current(now):
                return
            if status in states.KINDS:
                failed = f"{stack.status.removesuffix('_IN_PROGRESS')}_FAILED"
                event = stacks.make_stack_event(now, failed, block.clock.now(), reason)
                stacks.add_event(tx, now, replace(event, is_hidden=True))
                now = stacks.follow(tx, now, states.KINDS[status], block.clock.now())
            if now.operation.former and not states.is_in_progress(status):
                stacks.remove_target(tx, now, now.operation.former)
                now = replace(now, operation=nested_updates.end(now.operation))
            changed = stacks.set_status(tx, now, status, block.clock.now(), reason)
            if status == states.DELETED:
                await exporting.remove_all_of(tx, changed)
                drift_record.remove_drifts(tx, changed)

        await block.store.transact(move)
        return 0 if states.is_in_progress(status) else None

    async def _succeed(self, compiled: CompiledTarget | None) -> float | None:
        stack, status = self._stack, self._phase.succeeded
        if self._phase.work != "apply":
            reason = _INVALID.format(stack.operation.errors) if stack.operation.errors else ""
            return await self._move(status, self._describe_failures() if self._failed else reason)
        assert compiled is not None  # noqa: S101
        try:
            outputs = compiled.resolve_outputs(self._make_scope(compiled))
            await exporting.check_names(self._block, stack, outputs)
        except AwsError as error:
            return await self._fail(error.message)
        block = self._block

        async def finish(tx: Transaction) -> None:
            now = await stacks.find(tx, stack.account, stack.region, stack.id)
            if now is None or not self._is_current(now):
                return
            operation = now.operation
            if operation.awaited:
                operation = replace(operation, former=now.target, former_outputs=now.outputs)
            elif now.target and now.target != operation.target:
                # The former target is what cleaning up no longer needs.
                stacks.remove_target(tx, now, now.target)
            updated = block.clock.now() if status.startswith("UPDATE") else now.updated
            description = compiled.template.description
            changed = replace(
                now,
                target=operation.target,
                operation=operation,
                outputs=outputs,
                updated=updated,
                description=description,
            )
            await exporting.save(tx, changed, outputs, compiled.list_imports())
            stacks.set_status(tx, changed, status, block.clock.now())

        await block.store.transact(finish)
        return 0 if states.is_in_progress(status) else None

    async def _check_exports(self) -> None:
        """Raise where other stacks import what the stack exports."""
        if self._stack.status != "DELETE_IN_PROGRESS":
            return
        stack = self._stack
        for output in stack.outputs:
            if not output.export:
                continue

            async def list_users(tx: Transaction, name: str = output.export) -> list[str]:
                return await stacks.list_importers(tx, stack.account, stack.region, name)

            users = await self._block.store.transact(list_users)
            if users:
                raise _DeletionConflict(
                    f"Delete canceled. Cannot delete export {output.export} as it is in use by {' and '.join(users)}."
                )


def get_attribute(resource: Resource, attribute: str) -> Any:
    """Return what Fn::GetAtt returns of a resource. Raises AwsError."""
    assert resource.instance is not None  # noqa: S101
    attributes = resource.instance.attributes
    if attribute.startswith("Outputs.") and isinstance(attributes.get("Outputs"), list):
        key = attribute.removeprefix("Outputs.")
        found = next((one["OutputValue"] for one in attributes["Outputs"] if one["OutputKey"] == key), None)
    else:
        found = attributes.get(attribute)
        if found is None and "." in attribute:
            found = _find_inner(attributes, attribute)
        if found is None:
            found = resource.instance.properties.get(attribute)
    if found is None:
        if is_custom(resource.type):
            raise errors.make_validation_error(
                f"CustomResource attribute error: Vendor response doesn't contain {attribute} attribute"
            )
        raise errors.make_template_error(
            f"resource {resource.name} does not support attribute type {attribute} in Fn::GetAtt"
        )
    return found


def _find_inner(attributes: Mapping[str, Any], attribute: str) -> Any:
    value: Any = attributes
    for step in attribute.split("."):
        value = value.get(step) if isinstance(value, Mapping) else None
    return value


def check_properties(name: str, kind: str, properties: Mapping[str, Any]) -> None:
    """Raise AwsError for properties that the type's schema does not allow."""
    if is_custom(kind):
        if not properties.get("ServiceToken"):
            raise errors.make_validation_error("Missing required ServiceToken property")
        timeout = properties.get("ServiceTimeout", 1)
        if not _WHOLE_NUMBER.fullmatch(str(timeout)) or not 1 <= int(timeout) <= MAX_SERVICE_TIMEOUT_SECONDS:
            raise errors.make_validation_error(
                f"ServiceTimeout must be a number of seconds between 1 and {MAX_SERVICE_TIMEOUT_SECONDS}"
            )
        return
    schema = get_schema(kind)
    if any(map(is_system_key, schema.list_tag_keys(properties))):
        raise errors.make_validation_error("aws: prefixed tag key names are not allowed for external use.")
    violations = schema.list_violations(schema.convert_types(properties))
    if violations:
        raise errors.make_validation_error(
            f"Properties validation failed for resource {name} with message:\n[{', '.join(violations)}]"
        )
