"""Networks of programs: who reaches whom, as root and as an ordinary user."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

USERS = ["root", "user"] if os.geteuid() == 0 else ["user"]


@pytest.fixture(params=USERS)
def user(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def run(scenario: str, user: str) -> Any:
    command = [sys.executable, "-m", "tests.engines.network.scenarios", scenario, user]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


def test_networks_of_the_same_addresses_do_not_meet(user: str) -> None:
    assert run("isolation", user) == ["one 10.0.1.6", "other 10.0.1.7", "TimeoutError", "TimeoutError"]


def test_programs_ping_each_other_where_groups_let_them(user: str) -> None:
    assert run("pings", user) == ["echo", "lost"]


def test_an_address_may_come_to_an_interface_before_it_goes_from_another(user: str) -> None:
    assert run("moved", user) == "ok 10.0.1.6"


def test_linked_networks_reach_what_both_send_to_each_other(user: str) -> None:
    assert run("peers", user) == [
        "OSError",  # nothing is sent there yet
        "TimeoutError",  # replies have no way back
        "ok 10.0.1.5",
        "ok 10.1.1.8",
        "ok 10.1.1.8",
        "TimeoutError",  # a third network is not reached by way of another
        "ok 10.0.1.5",
        "TimeoutError",  # the other side's group does not let it in
        "TimeoutError",  # the own group does not let it out
        "OSError",  # there is no link any more
    ]


def test_the_router_knows_who_asks_for_metadata(user: str) -> None:
    assert run("metadata", user) == ["10.0.1.5", "you are known"]


def test_security_groups_let_through_what_their_rules_allow(user: str) -> None:
    assert run("groups", user) == [
        "TimeoutError",  # no interface is in a group yet
        "ok 10.0.1.6",
        "TimeoutError",  # another port
        "TimeoutError",  # a member of another group
        "ok 10.0.1.7",  # the same one in another group
        "TimeoutError",  # the rule was revoked
    ]


def test_what_has_no_groups_is_open_and_gets_in_where_others_let_it(user: str) -> None:
    assert run("free", user) == ["ok 10.0.1.6", "ok 10.0.1.7", "TimeoutError", "TimeoutError"]


def test_filters_are_changed_whatever_number_of_descriptors_there_is(user: str) -> None:
    assert run("many_descriptors", user) == ["ok 10.0.1.5", True]


def test_endpoints_are_reached_from_everywhere_but_internal_ones_from_their_network_only(user: str) -> None:
    assert run("endpoints", user) == [
        "inside 10.0.1.5",
        "machine 127.0.0.1",  # from another network
        "inside 10.0.1.5",
        "",  # from another network, once it is internal
        "own 127.0.0.1",  # the machine itself, from a load balancer
        "",  # and not from anything else
        "['task']",  # the balancer is removed
    ]


def test_connections_are_ended_for_both_sides(user: str) -> None:
    assert run("ended", user) == [
        [0, 1, 0],
        ["ConnectionAbortedError", "ConnectionResetError", "TimeoutError", "TimeoutError"],
    ]


def test_groups_know_load_balancers_whose_connections_the_router_leads_elsewhere(user: str) -> None:
    assert run("balanced", user) == [
        "seven 10.0.1.5",  # the target sees its client
        "seven 10.0.1.5",
        "TimeoutError",  # the load balancer's group does not let this one in
        "TimeoutError",
        "TimeoutError",  # the target's group lets in the load balancer's alone
    ]


def test_datagrams_stay_where_they_were_led_and_come_from_the_machine_too(user: str) -> None:
    assert run("flows", user) == [
        [6, "10.0.1.5", "LED"],
        [6, "10.0.1.5", "LED"],  # the rules have changed
        [0, 1, 0],
        [7, "10.0.1.5", "LED"],
        [7, "ONE"],
        [7, "TWO"],
        [],
    ]


def test_connections_leave_by_the_proxy_but_not_to_the_machine_itself(user: str) -> None:
    assert run("way_out", user) == ["from outside", "", "TimeoutError", True, 2]


def test_datagrams_leave_by_a_proxy_but_not_to_the_machine_itself(user: str) -> None:
    assert run("datagrams", user) == [["ONE", "TWO"], ["TimeoutError"], ["TimeoutError"], ["one", "two"]]
