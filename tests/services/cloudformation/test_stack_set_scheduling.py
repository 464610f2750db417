"""The order in which operations on stack sets go through their instances, on random ones."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from cloudlet.services.cloudformation.stack_sets.scheduling import (
    get_concurrency,
    get_tolerance,
    list_regions,
    make_schedule,
)
from cloudlet.services.cloudformation.stack_sets.stack_set_record import Preferences, Result, Target

_REGIONS = ["a", "b", "c"]
_preferences = st.builds(
    Preferences,
    regions=st.permutations(_REGIONS),
    is_parallel=st.booleans(),
    tolerance_count=st.none() | st.integers(0, 3),
    tolerance_percentage=st.none() | st.integers(0, 100),
    concurrency_count=st.none() | st.integers(1, 5),
    concurrency_percentage=st.none() | st.integers(1, 100),
    is_soft=st.booleans(),
)


@given(_preferences, st.integers(1, 6), st.data())
def test_an_operation_keeps_to_its_preferences_and_ends(
    preferences: Preferences, accounts: int, data: st.DataObject
) -> None:
    results = {
        target: Result(target) for target in (Target(str(n), region) for n in range(accounts) for region in _REGIONS)
    }
    order = list_regions(preferences, [*results.values()])
    tolerance = get_tolerance(preferences, accounts)
    for _ in range(1000):
        schedule = make_schedule(preferences, [*results.values()], is_stopping=False)
        assert not (schedule.start and schedule.cancel)
        for targets, status in ((schedule.start, "RUNNING"), (schedule.cancel, "CANCELLED")):
            for target in targets:
                assert results[target].status == "PENDING"
                results[target] = replace(results[target], status=status)
        running = [target for target, one in results.items() if one.status == "RUNNING"]
        failed = {
            region: sum(one.status == "FAILED" for t, one in results.items() if t.region == region) for region in order
        }
        for region in {target.region for target in schedule.start}:
            count = sum(target.region == region for target in running)
            assert count <= max(1, get_concurrency(preferences, accounts, failed[region]))
            if not preferences.is_soft:
                # Were all of them to fail, no more than one too many would have failed.
                assert failed[region] + count <= tolerance + 1
        if not preferences.is_parallel:
            assert len({target.region for target in running}) <= 1
        if schedule.ended:
            assert not running
            assert not any(one.status == "PENDING" for one in results.values())
            assert (schedule.ended == "FAILED") == any(count > tolerance for count in failed.values())
            return
        assert running
        ending = data.draw(st.sampled_from(running))
        results[ending] = replace(results[ending], status=data.draw(st.sampled_from(["SUCCEEDED", "FAILED"])))
    raise AssertionError("it never ends")
