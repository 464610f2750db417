"""Versions and labels of a secret, whatever is done to it: they are as a simple model has them."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from cloudlet.core.kernel.ids import uuid4
from cloudlet.testing.server import Server
from tests.services.secretsmanager.cloud import SecretCloud, make_token
from tests.sizes import examples

CURRENT, PENDING, PREVIOUS = "AWSCURRENT", "AWSPENDING", "AWSPREVIOUS"
LABELS = st.sampled_from([CURRENT, PENDING, PREVIOUS, "blue", "green"])
NUMBERS = st.integers(1, 5)
VALUES = st.sampled_from(["a", "b"])


class SecretMachine(RuleBasedStateMachine):
    """A secret beside a model of it."""

    cloud: SecretCloud

    def __init__(self) -> None:
        super().__init__()
        self.values: dict[str, str] = {}
        self.stages: dict[str, str] = {}
        self.name = ""
        self.is_deleted = False

    @initialize()
    def create(self) -> None:
        self.name = uuid4()
        self.cloud.create(self.name, SecretString=None)

    def call(self, operation: str, **params: Any) -> bool:
        """Call an operation; return whether it succeeded."""
        try:
            getattr(self.cloud.client, operation)(SecretId=self.name, **params)
        except ClientError:
            return False
        return True

    def attach(self, label: str, version: str) -> None:
        before = self.stages.get(label)
        if label == CURRENT and before not in (None, version):
            self.stages[PREVIOUS] = before
        self.stages[label] = version

    @rule(number=NUMBERS, value=VALUES, labels=st.none() | st.sets(LABELS, min_size=1))
    def put(self, number: int, value: str, labels: set[str] | None) -> None:
        version = make_token(number)
        more = {} if labels is None else {"VersionStages": sorted(labels)}
        has_put = self.call("put_secret_value", SecretString=value, ClientRequestToken=version, **more)
        if self.is_deleted or self.values.get(version, value) != value:
            assert not has_put
            return
        assert has_put
        if version in self.values:
            return
        wanted = {CURRENT} if labels is None else set(labels)
        if CURRENT not in self.stages:
            wanted.add(CURRENT)
        if CURRENT in wanted:
            # The rotation that it belonged to is over.
            self.stages.pop(PENDING, None)
        self.values[version] = value
        for label in sorted(wanted - {CURRENT}):
            self.attach(label, version)
        if CURRENT in wanted:
            self.attach(CURRENT, version)

    @rule(number=NUMBERS, value=VALUES)
    def update(self, number: int, value: str) -> None:
        version = make_token(number)
        has_updated = self.call("update_secret", SecretString=value, ClientRequestToken=version)
        assert has_updated == (not self.is_deleted and version not in self.values)
        if has_updated:
            self.stages.pop(PENDING, None)
            self.values[version] = value
            self.attach(CURRENT, version)

    @rule(label=LABELS, removed_from=st.none() | NUMBERS, moved_to=st.none() | NUMBERS)
    def move(self, label: str, removed_from: int | None, moved_to: int | None) -> None:
        removed = None if removed_from is None else make_token(removed_from)
        added = None if moved_to is None else make_token(moved_to)
        given = {"RemoveFromVersionId": removed, "MoveToVersionId": added}
        has_moved = self.call(
            "update_secret_version_stage",
            VersionStage=label,
            **{key: each for key, each in given.items() if each is not None},
        )
        holder = self.stages.get(label)
        can_move = (
            not self.is_deleted
            and (removed is not None or added is not None)
            and (added is None or added in self.values)
            and (holder == removed if removed is not None else holder in (None, added))
            and not (added is None and label == CURRENT)
        )
        assert has_moved == can_move
        if has_moved and added is not None:
            self.attach(label, added)
        elif has_moved:
            del self.stages[label]

    @rule()
    def delete(self) -> None:
        assert self.call("delete_secret") == (not self.is_deleted)
        self.is_deleted = True

    @rule()
    def restore(self) -> None:
        assert self.call("restore_secret")
        self.is_deleted = False

    @invariant()
    def has_the_labels_of_the_model(self) -> None:
        assert self.cloud.stages(self.name) == self.stages
        assert (CURRENT in self.stages) == bool(self.values)

    @invariant()
    def has_the_values_of_the_model(self) -> None:
        versions = self.cloud.client.list_secret_version_ids(SecretId=self.name, IncludeDeprecated=True)["Versions"]
        assert {each["VersionId"] for each in versions} == self.values.keys()
        if not self.is_deleted:
            for version, value in self.values.items():
                assert self.cloud.value(self.name, VersionId=version) == value


def test_a_secret_is_as_its_model(cloudlet_server: Server) -> None:
    with cloudlet_server.account() as aws:
        machine = type("Machine", (SecretMachine,), {"cloud": SecretCloud(aws)})
        run_state_machine_as_test(machine, settings=settings(max_examples=examples(30), stateful_step_count=20))
