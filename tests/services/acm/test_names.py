"""Which names a certificate has, and for which of them it counts."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudlet.core import AwsError
from cloudlet.core.host.certificates import covers
from cloudlet.services.acm import domain_names

labels = st.text(string.ascii_lowercase + string.digits, min_size=1, max_size=8)
domains = st.lists(labels, min_size=2, max_size=4).map(".".join)


@given(domains, st.lists(domains, max_size=12))
def test_names_are_gathered_once_each(first: str, others: list[str]) -> None:
    distinct = list(dict.fromkeys([first, *others]))
    if len(distinct) > domain_names.MAX_NAMES:
        with pytest.raises(AwsError, match="too many domains"):
            domain_names.gather(first, others)
    else:
        assert list(domain_names.gather(first.upper(), others)) == distinct


@given(domains, labels, labels)
def test_a_wildcard_counts_for_one_label(domain: str, label: str, other: str) -> None:
    wildcard = [f"*.{domain}"]
    assert covers(wildcard, f"{label}.{domain}")
    assert covers(wildcard, f"*.{domain}")
    assert not covers(wildcard, domain)
    assert not covers(wildcard, f"{other}.{label}.{domain}")
    assert not covers(wildcard, f"*.{label}.{domain}")
    assert covers([domain], domain.upper())
    assert not covers([domain], f"{label}.{domain}")
    assert not covers([domain], f"*.{domain}")
    assert not covers([], domain)


@given(domains, labels)
def test_what_is_below_a_domain_is_within_it(domain: str, label: str) -> None:
    for name in (domain, f"*.{domain}", f"{label}.{domain}", f"*.{label}.{domain}"):
        assert domain_names.is_within(name, domain)
    assert not domain_names.is_within(f"{label}{domain}", domain)
    assert not domain_names.is_within(domain, f"{label}.{domain}")
