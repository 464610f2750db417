"""AWS X-Ray: what happened to a request on its way through services.

Segments are kept for 30 days and are durable once they are accepted; summaries, graphs and statistics are computed
from them when they are asked for, so they are never behind. They come by PutTraceSegments, as spans of OpenTelemetry
(`api_otlp`), or by UDP (`daemon`).

Behaviour: https://docs.aws.amazon.com/xray/latest/devguide/ and, for operations, limits and errors,
https://docs.aws.amazon.com/xray/latest/api/.
"""
