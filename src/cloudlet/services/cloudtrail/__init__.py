"""AWS CloudTrail: the record of every call that changes or looks at what there is.

Blocks note their calls in their own stores and bring them here (`cloudlet.core.telemetry.audit`), so that CloudTrail
may be down: what was noted comes later. The history of an account and a region can be looked up for 90 days; trails
deliver events, and event data stores (`lake`) keep them to be asked in SQL.
"""
