"""What can be wrong with an expression, in AWS's words.

An `ExpressionProblem` does not know which parameter its expression is of; `said_of` says so to the caller.
"""

from __future__ import annotations

from cloudlet.services.dynamodb.errors import validation


class ExpressionProblem(Exception):
    """An expression that DynamoDB refuses; the text is AWS's message without the parameter's name."""


class said_of:
    """Turn problems into AwsErrors about a parameter, as ConditionExpression."""

    __slots__ = ("_parameter",)

    def __init__(self, parameter: str) -> None:
        self._parameter = parameter

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, problem: BaseException | None, trace: object) -> None:
        if isinstance(problem, ExpressionProblem):
            raise validation(f"Invalid {self._parameter}: {problem}") from None


def syntax_error(token: str, near: str) -> ExpressionProblem:
    return ExpressionProblem(f'Syntax error; token: "{token}", near: "{near}"')


def unknown_function(name: str) -> ExpressionProblem:
    return ExpressionProblem(f"Invalid function name; function: {name}")


def wrong_number_of_operands(name: str, number: int) -> ExpressionProblem:
    return ExpressionProblem(
        "Incorrect number of operands for operator or function; "
        f"operator or function: {name}, number of operands: {number}"
    )


def wrong_operand_type(name: str, kind: str) -> ExpressionProblem:
    return ExpressionProblem(
        f"Incorrect operand type for operator or function; operator or function: {name}, operand type: {kind}"
    )


def path_required(name: str) -> ExpressionProblem:
    return ExpressionProblem(f"Operator or function requires a document path; operator or function: {name}")


def function_misplaced(name: str) -> ExpressionProblem:
    return ExpressionProblem(f"The function is not allowed to be used this way in an expression; function: {name}")


def function_unknown_here(name: str, where: str) -> ExpressionProblem:
    return ExpressionProblem(f"The function is not allowed in {where} expression; function: {name}")


def operands_not_distinct(name: str, path: str) -> ExpressionProblem:
    return ExpressionProblem(
        "The first operand must be distinct from the remaining operands for this operator or function; "
        f"operator: {name}, first operand: {path}"
    )
