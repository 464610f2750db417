"""DynamoDB's expression languages: conditions and filters, key conditions, projections, updates.

Developer Guide, "Using expressions in DynamoDB". A text becomes tokens (`lexer`), a tree (`syntax`, `parser`), and then
one of four objects that work on items; where the same text comes again, its tree is taken from a bounded cache.
"""

from cloudlet.services.dynamodb.expressions.conditions import Condition, parse_condition
from cloudlet.services.dynamodb.expressions.key_conditions import (
    KeyCondition,
    KeyRange,
    RangeCondition,
    parse_key_condition,
)
from cloudlet.services.dynamodb.expressions.projections import Projection, parse_projection
from cloudlet.services.dynamodb.expressions.substitutions import Substitutions
from cloudlet.services.dynamodb.expressions.updates import Update, parse_update

__all__ = [
    "Condition",
    "KeyCondition",
    "KeyRange",
    "Projection",
    "RangeCondition",
    "Substitutions",
    "Update",
    "parse_condition",
    "parse_key_condition",
    "parse_projection",
    "parse_update",
]
