// The AWS SDK for JavaScript on SQS and SNS: run by tests/e2e/test_javascript.py.
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  CreateTopicCommand,
  NotFoundException,
  PublishBatchCommand,
  PublishCommand,
  SNSClient,
  SubscribeCommand,
} from "@aws-sdk/client-sns";
import {
  CreateQueueCommand,
  DeleteMessageBatchCommand,
  GetQueueAttributesCommand,
  QueueDoesNotExist,
  ReceiveMessageCommand,
  SQSClient,
  SendMessageBatchCommand,
  SendMessageCommand,
  SetQueueAttributesCommand,
} from "@aws-sdk/client-sqs";

const sqs = new SQSClient();
const sns = new SNSClient();

async function receive(QueueUrl, count) {
  const messages = [];
  while (messages.length < count) {
    const asked = { QueueUrl, MaxNumberOfMessages: 10, WaitTimeSeconds: 20, MessageAttributeNames: ["All"] };
    const { Messages } = await sqs.send(new ReceiveMessageCommand(asked));
    assert.ok(Messages, `only ${messages.length} of ${count} messages came`);
    messages.push(...Messages);
  }
  return messages;
}

test("messages go through a queue", async () => {
  const { QueueUrl } = await sqs.send(new CreateQueueCommand({ QueueName: "jobs" }));
  const attributes = {
    colour: { DataType: "String", StringValue: "blue" },
    raw: { DataType: "Binary", BinaryValue: new Uint8Array([0, 255]) },
  };
  await sqs.send(new SendMessageCommand({ QueueUrl, MessageBody: "ä job", MessageAttributes: attributes }));
  const batch = await sqs.send(
    new SendMessageBatchCommand({
      QueueUrl,
      Entries: [
        { Id: "good", MessageBody: "in a batch" },
        { Id: "bad", MessageBody: "x", DelaySeconds: 1000 },
      ],
    }),
  );
  assert.deepEqual(batch.Successful.map((each) => each.Id), ["good"]);
  assert.deepEqual(batch.Failed.map((each) => [each.Id, each.Code, each.SenderFault]), [["bad", "InvalidParameterValue", true]]);

  const messages = await receive(QueueUrl, 2);
  assert.deepEqual(messages.map((message) => message.Body).sort(), ["in a batch", "ä job"]);
  const job = messages.find((message) => message.Body === "ä job");
  assert.deepEqual(job.MessageAttributes.raw.BinaryValue, attributes.raw.BinaryValue);
  const Entries = messages.map(({ MessageId, ReceiptHandle }) => ({ Id: MessageId, ReceiptHandle }));
  const deleted = await sqs.send(new DeleteMessageBatchCommand({ QueueUrl, Entries }));
  assert.equal(deleted.Successful.length, 2);

  await assert.rejects(sqs.send(new SendMessageCommand({ QueueUrl: `${QueueUrl}-none`, MessageBody: "x" })), QueueDoesNotExist);
});

test("a FIFO queue keeps the order of each group", async () => {
  const { QueueUrl } = await sqs.send(
    new CreateQueueCommand({
      QueueName: "jobs.fifo",
      Attributes: { FifoQueue: "true", ContentBasedDeduplication: "true" },
    }),
  );
  for (const MessageBody of ["1", "2", "2", "3"]) {
    await sqs.send(new SendMessageCommand({ QueueUrl, MessageBody, MessageGroupId: "g" }));
  }
  const messages = await receive(QueueUrl, 3);
  assert.deepEqual(messages.map((message) => message.Body), ["1", "2", "3"]);
});

test("a topic fans out by filter", async () => {
  const { TopicArn } = await sns.send(new CreateTopicCommand({ Name: "orders" }));
  const subscribe = async (QueueName, policy) => {
    const { QueueUrl } = await sqs.send(new CreateQueueCommand({ QueueName }));
    const told = await sqs.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ["QueueArn"] }));
    const Endpoint = told.Attributes.QueueArn;
    const allowed = { Effect: "Allow", Principal: "*", Action: "sqs:SendMessage", Resource: Endpoint };
    const Policy = JSON.stringify({ Version: "2012-10-17", Statement: [allowed] });
    await sqs.send(new SetQueueAttributesCommand({ QueueUrl, Attributes: { Policy } }));
    const Attributes = { RawMessageDelivery: "true", ...policy };
    await sns.send(new SubscribeCommand({ TopicArn, Protocol: "sqs", Endpoint, Attributes }));
    return QueueUrl;
  };
  const everything = await subscribe("everything", {});
  const large = await subscribe("large", { FilterPolicy: '{"total": [{"numeric": [">", 100]}]}' });

  const order = (Message, total) => ({
    Message,
    MessageAttributes: { total: { DataType: "Number", StringValue: String(total) } },
  });
  await sns.send(new PublishCommand({ TopicArn, ...order("a pen", 2) }));
  await sns.send(
    new PublishBatchCommand({
      TopicArn,
      PublishBatchRequestEntries: [{ Id: "1", ...order("a desk", 200) }, { Id: "2", ...order("a chair", 90) }],
    }),
  );
  const bodies = (messages) => messages.map((message) => message.Body).sort();
  assert.deepEqual(bodies(await receive(everything, 3)), ["a chair", "a desk", "a pen"]);
  assert.deepEqual(bodies(await receive(large, 1)), ["a desk"]);

  await assert.rejects(sns.send(new PublishCommand({ TopicArn: `${TopicArn}-none`, Message: "x" })), NotFoundException);
});
