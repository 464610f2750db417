"""Amazon API Gateway: HTTP, WebSocket and REST APIs, what they are made of, and the requests that they answer.

What it promises: what was deployed is what answers, from the next request on. An API's id is unique in the cloud, and
a stage is compiled into a table in memory once, so that a request costs no look at the store.

Behaviour: https://docs.aws.amazon.com/apigateway/latest/developerguide/ and, for operations and errors,
https://docs.aws.amazon.com/apigatewayv2/latest/api-reference/ and, of REST APIs,
https://docs.aws.amazon.com/apigateway/latest/api/. Differences: docs/services/apigateway.md.
"""
