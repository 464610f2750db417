"""Application Auto Scaling: capacities that follow metrics and schedules, for ECS, DynamoDB and Lambda.

Target tracking and step scaling act on CloudWatch's alarms, and scheduled actions on the cloud's clock. All changes of
a scalable target are made one at a time by a reconciler, through the public APIs of the service that has it.

Documented in the Application Auto Scaling User Guide and
API Reference; where Cloudlet differs: docs/services/application-autoscaling.md.
"""
