"""CloudTrail Lake: event data stores, which keep events for years, and the queries that look through them.

User guide, "Working with AWS CloudTrail Lake".
"""
