"""The check of docstrings and names, `scripts/check_words.py`, and its ratchet."""

from __future__ import annotations

import pytest
from scripts.check_words import (
    Violation,
    check_docstring,
    check_function_name,
    check_limit,
    check_module_names,
    check_source,
    count,
    find_excess,
    find_new,
    lower,
    move,
)


def _rules(source: str) -> list[str]:
    return [each.rule for each in check_source(source)]


@pytest.mark.parametrize("text", ["Return the parts of an ARN.", "Delete, durably, a row.", "Wait for it. Raises X."])
def test_docstrings_of_functions_begin_with_an_imperative(text: str) -> None:
    assert check_docstring(text, is_action=True) is None


@pytest.mark.parametrize("text", ["The parts of an ARN.", "Returns the parts of an ARN.", "Who asks.", "Raises X.", ""])
def test_docstrings_of_functions_begin_with_nothing_else(text: str) -> None:
    assert check_docstring(text, is_action=True)


@pytest.mark.parametrize("text", ["A lease.", "Leases of jobs.", "Put rows into a store.", "`name`, in lower case."])
def test_docstrings_of_things_begin_with_a_noun(text: str) -> None:
    assert check_docstring(text, is_action=False) is None


@pytest.mark.parametrize(
    "text",
    ["What a block does.", "Who asks.", "So many at once.", "Those who wait.", "As functions get it.", "Given once.",
     "Takes connections over.", "How deep JSON is.", "Whether it runs."],
)  # fmt: skip
def test_docstrings_of_things_are_no_riddles(text: str) -> None:
    assert check_docstring(text, is_action=False)


def test_a_first_sentence_has_fifteen_words() -> None:
    assert check_docstring(f"Return {'very ' * 13}much.", is_action=True) is None
    assert "16" in str(check_docstring(f"Return {'very ' * 14}much.", is_action=True))
    assert check_docstring(f"Return it. {'Very ' * 20}long.", is_action=True) is None


def test_what_is_true_or_false_may_say_whether() -> None:
    assert check_docstring("Whether it runs.", is_action=True, is_boolean=True) is None
    assert check_docstring("Return whether it runs.", is_action=True, is_boolean=True) is None
    assert check_docstring("Whether what runs is young.", is_action=True, is_boolean=True)
    assert check_docstring("Whether it runs.", is_action=True)


def test_all_kinds_of_docstrings_are_read() -> None:
    assert _rules('"""What this is."""') == ["docstring"]
    assert _rules('class A:\n    """Who asks."""\n    b: int\n    """So many."""') == ["docstring", "docstring"]
    assert _rules('class A:\n    @property\n    def size(self) -> int:\n        """The bytes."""') == []
    assert _rules('class A:\n    def __init__(self) -> None:\n        self.b = 1\n        """Those."""') == [
        "docstring"
    ]


@pytest.mark.parametrize("name", ["parse", "_find_key", "to_json", "is_open", "reconcile"])
def test_names_of_functions_begin_with_a_verb(name: str) -> None:
    assert _rules(f"def {name}() -> int: ...") == []


@pytest.mark.parametrize("name", ["key", "_page_size", "no_such_key", "count_of", "with_data", "on"])
def test_other_names_of_functions_do_not(name: str) -> None:
    assert _rules(f"def {name}() -> int: ...") == ["verb"]


@pytest.mark.parametrize("name", ["shown", "given", "_checked_name", "found", "applied"])
def test_participles_are_for_what_is_true_or_false(name: str) -> None:
    assert _rules(f"def {name}() -> str: ...") == ["participle"]
    assert _rules(f"def {name}() -> bool: ...") == []


def test_a_participle_s_verb_is_named() -> None:
    assert check_function_name("shown") == ("participle", "use the verb: describe, or to_api")
    assert check_function_name("planned_keys") == ("participle", "use the verb: plan")
    assert check_function_name("applied") == ("participle", "use the verb: apply")


def test_predicates_may_be_verbs_of_the_third_person() -> None:
    assert _rules("def matches(self) -> bool: ...\nasync def has_key(self) -> bool: ...") == []
    assert _rules("def matches(self) -> list[str]: ...") == ["verb"]


def test_names_that_others_give_are_free() -> None:
    assert _rules("class A:\n    def data_received(self, data): ...\n    def __len__(self): ...") == []
    assert _rules("@service.operation('Key')\nasync def key(ctx): ...") == []
    assert _rules("@property\ndef key(self): ...\n@contextmanager\ndef holding(self): ...") == []
    assert _rules("class _Meaning:\n    def key(self): ...") == []
    assert _rules("async def run():\n    async def body(tx): ...\n    async def page(tx): ...") == ["verb"]


@pytest.mark.parametrize("name", ["MAX_ROWS", "_MAX_BODY_BYTES", "MAX_CONCURRENT_JOBS", "ALMOST", "LIMITS"])
def test_limits_have_a_noun_and_a_unit(name: str) -> None:
    assert check_limit(name) is None


@pytest.mark.parametrize(
    ("name", "better"),
    [
        ("_MOST_ROWS", "_MAX_ROWS"),
        ("JOBS_AT_ONCE", "MAX_JOBS"),
        ("LARGEST_BODY", "MAX_BODY_<UNIT>"),
        ("_LONGEST_PAUSE_SECONDS", "_MAX_PAUSE_SECONDS"),
        ("_AT_ONCE", "_MAX_<NOUN>_<UNIT>"),
        ("MAX_BYTES", "MAX_<NOUN>_BYTES"),
        ("MAX_DEPTH", "MAX_DEPTH_<UNIT>"),
    ],
)
def test_other_limits_are_told_how(name: str, better: str) -> None:
    assert check_limit(name) == better
    assert _rules(f"{name}: Final = 3") == ["limit"]
    assert _rules(f"def run():\n    {name} = 3") == []


def test_module_names_are_unique_in_shared_folders() -> None:
    shared = [
        "src/cloudlet/core/a/running.py",
        "src/cloudlet/edge/running.py",
        "src/cloudlet/store/running/__init__.py",
    ]
    others = ["src/cloudlet/services/sqs/running.py", "src/cloudlet/core/__init__.py", "src/cloudlet/edge/__init__.py"]
    named = check_module_names([*shared, *others, "src/cloudlet/__init__.py"])
    assert list(named) == shared
    assert shared[1] in named[shared[0]].advice


def test_counts_never_rise() -> None:
    assert lower({"a": {"verb": 3, "limit": 1}, "gone": {"verb": 1}}, {"a": {"verb": 2}, "new": {"verb": 9}}) == {
        "a": {"verb": 2}
    }
    assert lower({"a": {"verb": 1}}, {"a": {"verb": 2}}) == {"a": {"verb": 1}}


def test_files_may_have_no_more_than_they_had() -> None:
    assert find_excess({"a": {"verb": 1}}, {"a": {"verb": 1}, "b": {}}) == {}
    assert find_excess({"a": {"verb": 1}}, {"a": {"verb": 3}, "new": {"limit": 1}}) == {
        "a": {"verb": 2},
        "new": {"limit": 1},
    }


def test_counts_follow_code_that_moves() -> None:
    assert move({"a": {"verb": 3}}, {"b": {"verb": 3}}, "a", "b") == {"b": {"verb": 3}}
    assert move({"a": {"verb": 3}}, {"a": {"verb": 1}, "b": {"verb": 2}}, "a", "b") == {
        "a": {"verb": 1},
        "b": {"verb": 2},
    }


def test_new_violations_are_told_from_old_ones_on_other_lines() -> None:
    old = [Violation(1, "verb", "key", ""), Violation(2, "verb", "key", "")]
    now = [Violation(5, "verb", "key", ""), Violation(6, "verb", "page", ""), Violation(9, "verb", "key", "")]
    assert find_new(now, old) == [now[1]]
    assert find_new(now, []) == now
    assert count(now) == {"verb": 3}
