"""The handlers of all blocks."""

from __future__ import annotations

import ast
import importlib
import inspect
import textwrap

import pytest

from cloudlet.core.kernel.cloud import list_blocks


@pytest.mark.interpreted
@pytest.mark.parametrize("name", list_blocks())
def test_no_handler_is_a_refusal(name: str) -> None:
    """An operation counts as built by its handler: one that only raises would be a pretence."""
    handlers = importlib.import_module(list_blocks()[name]).service.handlers
    refusals = []
    for key, handler in handlers.items():
        (function,) = ast.parse(textwrap.dedent(inspect.getsource(handler.function))).body
        assert isinstance(function, ast.AsyncFunctionDef | ast.FunctionDef)
        body = [each for each in function.body if not isinstance(each, ast.Expr)]
        if len(body) == 1 and isinstance(body[0], ast.Raise):
            refusals.append(key)
    assert handlers
    assert refusals == []
