"""DynamoDB's expression languages: conditions and filters, key conditions, projections, updates.

Developer Guide, "Using expressions in DynamoDB". A text becomes tokens (`lexer`), a tree (`syntax`; `parser` and a
grammar), and then, with the request's placeholders filled in, one of four objects that work on items. The tree of a
text that comes again is taken from a bounded cache.
"""

from cloudlet.services.dynamodb.expressions.conditions import parse_condition
from cloudlet.services.dynamodb.expressions.key_conditions import (
    AttributeCondition,
    KeyCondition,
    KeyRange,
    parse_key_condition,
)
from cloudlet.services.dynamodb.expressions.predicates import Condition
from cloudlet.services.dynamodb.expressions.projections import Projection, parse_projection
from cloudlet.services.dynamodb.expressions.search_conditions import parse_search_condition
from cloudlet.services.dynamodb.expressions.substitutions import Substitutions
from cloudlet.services.dynamodb.expressions.updates import Update, parse_update

__all__ = [
    "AttributeCondition",
    "Condition",
    "KeyCondition",
    "KeyRange",
    "Projection",
    "Substitutions",
    "Update",
    "parse_condition",
    "parse_key_condition",
    "parse_projection",
    "parse_search_condition",
    "parse_update",
]
