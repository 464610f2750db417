"""Cloudlet measured against its peers, on the same machine in the same run.

`python -m benchmarks.sqs` measures SQS; README.md says what is measured and how to read it.
"""
