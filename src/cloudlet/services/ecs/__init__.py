"""Amazon Elastic Container Service: clusters, task definitions, tasks and the services that keep them running.

Operations write the wanted state; reconcilers make it so: one for services, which starts and stops tasks, one for
tasks, which run as containers under the machine's keeper. So tasks outlive the block's process.

Documented in the Amazon ECS Developer Guide and the API Reference; where Cloudlet differs: docs/services/ecs.md.
"""
