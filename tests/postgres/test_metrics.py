"""What blocks measure of themselves where two processes run them on one PostgreSQL."""

from __future__ import annotations

from tests.own_metrics import total
from tests.standing import eventually, standing_server


def test_what_is_held_and_provisioned_is_told_by_one_process_and_what_was_done_by_each() -> None:
    with standing_server(mode="replicas") as standing:
        aws = standing.account()
        # Each client's requests go to the other process. What both did shows that both have told all that they tell.
        queues, tables = ([aws.client(service) for _ in range(2)] for service in ("sqs", "dynamodb"))
        url = queues[0].create_queue(QueueName="orders")["QueueUrl"]
        for client in queues:
            client.send_message(QueueUrl=url, MessageBody="hello")
        tables[0].create_table(
            TableName="orders",
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            ProvisionedThroughput={"ReadCapacityUnits": 5, "WriteCapacityUnits": 5},
        )
        for client in tables:
            client.put_item(TableName="orders", Item={"id": {"S": "1"}})
        standing.advance("5m")

        of_queue, of_table = {"QueueName": "orders"}, {"TableName": "orders"}
        eventually(lambda: total(aws, "AWS/SQS", "NumberOfMessagesSent", **of_queue), lambda sent: sent == 2)
        assert total(aws, "AWS/SQS", "ApproximateNumberOfMessagesVisible", **of_queue) == 2
        eventually(lambda: total(aws, "AWS/DynamoDB", "ConsumedWriteCapacityUnits", **of_table), lambda sum: sum == 2)
        assert total(aws, "AWS/DynamoDB", "ProvisionedReadCapacityUnits", **of_table) == 5
