"""The columns of an event data store, and how the records of events become rows.

User guide, "Supported SQL schemas for event data stores", "Supported schema for CloudTrail event record fields".
"""

from __future__ import annotations

from typing import Any

_TEXT = "VARCHAR"
_MAP = "MAP(VARCHAR, VARCHAR)"
_NAMED = {"type": _TEXT, "principalId": _TEXT, "arn": _TEXT, "accountId": _TEXT, "userName": _TEXT}
COLUMNS: dict[str, Any] = {
    "eventVersion": _TEXT,
    "userIdentity": {
        **_NAMED,
        "accessKeyId": _TEXT,
        "sessionContext": {
            "attributes": {"creationDate": "TIMESTAMP", "mfaAuthenticated": _TEXT},
            "sessionIssuer": _NAMED,
            "webIdFederationData": {"federatedProvider": _TEXT, "attributes": _MAP},
            "sourceIdentity": _TEXT,
            "ec2RoleDelivery": _TEXT,
            "ec2IssuedInVpc": _TEXT,
        },
        "onBehalfOf": {"userId": _TEXT, "identityStoreArn": _TEXT},
        "inScopeOf": {"sourceArn": _TEXT, "sourceAccount": _TEXT, "issuerType": _TEXT, "credentialsIssuedTo": _TEXT},
        "invokedBy": _TEXT,
        "identityProvider": _TEXT,
    },
    "eventTime": "TIMESTAMP",
    "eventSource": _TEXT,
    "eventName": _TEXT,
    "awsRegion": _TEXT,
    "sourceIPAddress": _TEXT,
    "userAgent": _TEXT,
    "errorCode": _TEXT,
    "errorMessage": _TEXT,
    "requestParameters": _MAP,
    "responseElements": _MAP,
    "additionalEventData": _MAP,
    "requestID": _TEXT,
    "eventID": _TEXT,
    "readOnly": "BOOLEAN",
    "resources": [{"accountId": _TEXT, "type": _TEXT, "ARN": _TEXT, "ARNPrefix": _TEXT}],
    "eventType": _TEXT,
    "apiVersion": _TEXT,
    "managementEvent": "BOOLEAN",
    "recipientAccountId": _TEXT,
    "sharedEventID": _TEXT,
    "annotation": _TEXT,
    "vpcEndpointId": _TEXT,
    "vpcEndpointAccountId": _TEXT,
    "serviceEventDetails": _MAP,
    "addendum": _MAP,
    "edgeDeviceDetails": _MAP,
    "insightDetails": _MAP,
    "eventCategory": _TEXT,
    "tlsDetails": {"tlsVersion": _TEXT, "cipherSuite": _TEXT, "clientProvidedHostHeader": _TEXT},
    "sessionCredentialFromConsole": _TEXT,
}
"""By the names that records have, the types as DuckDB's JSON functions take them."""
JSON_COLUMN = "eventJson"
"""Has the record itself."""
CHECKSUM_COLUMN = "eventJsonChecksum"
