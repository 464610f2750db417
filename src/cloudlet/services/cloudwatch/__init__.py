"""Amazon CloudWatch: metrics, alarms and dashboards.

Programs put values of metrics, and ask for statistics of them over time: sums, percentiles, the results of metric
math. Alarms watch such a series and act when it crosses a threshold.

What it promises: a value that `PutMetricData` has answered for is on disk, and is seen by the next query (on AWS it
may take minutes). Values are kept as AWS documents: for 3 hours by the second, 15 days by the minute, 63 days by five
minutes, 455 days by the hour. Alarms are evaluated by the cloud's clock, and act at least once for each change of
state.

Behaviour: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/ and, for operations, limits and errors,
https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/. Differences: docs/services/cloudwatch.md.
"""
