"""The topic of orders, the queues of those who are told of them, and the alarm on what they could not handle."""

from __future__ import annotations

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_sqs as sqs
from constructs import Construct
from shop import names


class Messages(Construct):
    def __init__(self, scope: Construct, id: str) -> None:
        super().__init__(scope, id)
        # Version 2 signs with SHA-256; the default is still SHA-1. Active tracing puts the topic itself into traces.
        placed = sns.Topic(
            self,
            "OrderPlaced",
            topic_name=names.ORDER_PLACED,
            signature_version="2",
            tracing_config=sns.TracingConfig.ACTIVE,
        )
        # Who wants which orders: by the attributes of a message or, for email, by the order itself.
        costs = {"price": sns.SubscriptionFilter.numeric_filter(greater_than=0)}
        is_parcel = {"delivery": sns.SubscriptionFilter.string_filter(allowlist=["parcel"])}
        wants_mail = {"mail": sns.FilterOrPolicy.filter(sns.SubscriptionFilter(conditions=[True]))}
        letters = self._subscribe(placed, "payments", filter_policy=costs)
        self._subscribe(placed, "inventory", filter_policy=is_parcel)
        self._subscribe(placed, "email", filter_policy_with_message_body=wants_mail)

        alarms = sns.Topic(self, "Alarms", topic_name=names.ALARMS)
        self._subscribe(alarms, "on-call")
        rings = cloudwatch.Alarm(
            self,
            "DeadLetters",
            alarm_name=names.DEAD_LETTERS,
            alarm_description="An order could not be charged.",
            metric=letters.metric_approximate_number_of_messages_visible(
                period=Duration.minutes(1), statistic="Maximum"
            ),
            threshold=0,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
            evaluation_periods=1,
            # SQS has no metrics of a queue that has long been empty.
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
        rings.add_alarm_action(actions.SnsAction(alarms))
        rings.add_ok_action(actions.SnsAction(alarms))

    def _subscribe(self, to: sns.Topic, service: str, **filters: object) -> sqs.Queue:
        """Have what is published put into the queue of a service; return the queue of its dead letters."""
        letters = sqs.Queue(
            self,
            f"{service}Letters",
            queue_name=names.dead_letters(service),
            retention_period=Duration.days(14),
        )
        queue = sqs.Queue(
            self,
            service,
            queue_name=names.queue(service),
            visibility_timeout=Duration.seconds(10),
            dead_letter_queue=sqs.DeadLetterQueue(queue=letters, max_receive_count=names.TRIES),
        )
        to.add_subscription(subscriptions.SqsSubscription(queue, raw_message_delivery=True, **filters))
        return letters
