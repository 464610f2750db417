"""The patterns that values of parameters must match.

RE2, which DuckDB has, takes a time that grows with the value alone.
Java, in whose syntax AWS takes them, has lookarounds and back references besides; what needs these is refused.
"""

from __future__ import annotations

from cloudlet.core import AwsError


def check_value(pattern: str, value: str) -> None:
    """Raise AwsError where a whole value does not match a pattern. It takes milliseconds: run it in a worker."""
    import duckdb

    with duckdb.connect(":memory:", config={"threads": 1}) as engine:
        try:
            row = engine.execute("SELECT regexp_full_match(?, ?)", [value, pattern]).fetchone()
        except duckdb.Error as error:
            raise AwsError("InvalidAllowedPatternException", f"Invalid allowed pattern {pattern}: {error}") from error
    if row is None or not row[0]:
        message = f"Parameter value, cannot be validated against allowedPattern: {pattern}"
        raise AwsError("ParameterPatternMismatchException", message)
