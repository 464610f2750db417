"""AWS Lambda: functions, their versions and aliases, layers, permissions, and what calls them.

What it promises: a function that was answered for is on disk, with its code; what is published never changes. Code
is unpacked before a version becomes Active, and kept as long as a version or a layer refers to it.

Behaviour: https://docs.aws.amazon.com/lambda/latest/dg/ and, for operations, limits and errors,
https://docs.aws.amazon.com/lambda/latest/api/. Differences: docs/services/lambda.md.
"""
