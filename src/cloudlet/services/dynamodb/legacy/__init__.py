"""The parameters that came before expressions: Expected, QueryFilter, ScanFilter, KeyConditions, AttributeUpdates,
AttributesToGet and ConditionalOperator. They become the same objects as expressions do.

Developer Guide, "Legacy DynamoDB conditional parameters".
"""

from cloudlet.services.dynamodb.legacy.attribute_updates import attribute_updates
from cloudlet.services.dynamodb.legacy.attributes_to_get import attributes_to_get
from cloudlet.services.dynamodb.legacy.comparisons import filter_condition
from cloudlet.services.dynamodb.legacy.expected import expected_condition
from cloudlet.services.dynamodb.legacy.key_conditions import key_conditions

__all__ = ["attribute_updates", "attributes_to_get", "expected_condition", "filter_condition", "key_conditions"]
