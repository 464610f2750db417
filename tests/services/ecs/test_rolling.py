"""The rolling update, on paper: whatever happens, it stays within its bounds, and it comes to an end."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cloudlet.services.ecs.rolling import Bounds, TaskState, find_bounds, plan

COUNTS = st.integers(0, 12)
BOUNDS = st.builds(find_bounds, COUNTS, st.integers(0, 100), st.integers(100, 250))


def make_tasks(name: str) -> st.SearchStrategy[list[TaskState]]:
    states = st.sampled_from([(True, False), (False, False), (False, True)])
    return st.lists(states, max_size=12).map(
        lambda found: [TaskState(f"{name}{index}", *state, created=index) for index, state in enumerate(found)]
    )


def test_percentages_are_rounded_away_from_trouble() -> None:
    assert find_bounds(3, 50, 150) == Bounds(3, 2, 4)
    assert find_bounds(1, 100, 200) == Bounds(1, 1, 2)


@given(BOUNDS, make_tasks("n"), make_tasks("o"))
def test_there_are_never_more_tasks_than_the_maximum(
    bounds: Bounds, new: list[TaskState], old: list[TaskState]
) -> None:
    made = plan(bounds, new, old)
    assert made.start == 0 or len(new) + len(old) + made.start <= bounds.highest


@given(BOUNDS, make_tasks("n"), make_tasks("o"))
def test_healthy_ones_are_never_fewer_than_the_minimum(
    bounds: Bounds, new: list[TaskState], old: list[TaskState]
) -> None:
    tasks = {task.id: task for task in (*new, *old)}
    made = plan(bounds, new, old)
    assert len({*made.stop}) == len(made.stop)
    before = sum(task.is_healthy for task in tasks.values())
    after = before - sum(tasks[each].is_healthy for each in made.stop)
    assert after >= min(before, bounds.lowest, bounds.desired)


@given(BOUNDS.filter(lambda bounds: bounds.highest > bounds.lowest), COUNTS)
def test_it_ends_with_new_tasks_alone(bounds: Bounds, count: int) -> None:
    new: list[TaskState] = []
    old = [TaskState(f"o{index}", True) for index in range(min(count, bounds.highest))]
    for step in range(100):
        made = plan(bounds, new, old)
        if not made.start and not made.stop and all(task.is_healthy for task in new):
            break
        new = [task for task in new if task.id not in made.stop]
        old = [task for task in old if task.id not in made.stop]
        # What was started before is healthy by the next look.
        new = [task._replace(is_healthy=True) for task in new]
        new += [TaskState(f"n{step}-{index}", False) for index in range(made.start)]
    assert (len(new), len(old)) == (bounds.desired, 0)


def test_protected_tasks_are_let_be() -> None:
    old = [TaskState("o0", True, is_protected=True), TaskState("o1", True)]
    new = [TaskState("n0", True), TaskState("n1", True)]
    assert plan(Bounds(2, 2, 4), new, old).stop == ["o1"]
    assert plan(Bounds(0, 0, 0), old, []).stop == ["o1"]
