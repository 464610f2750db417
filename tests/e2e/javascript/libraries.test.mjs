// Libraries that are built on the AWS SDK for JavaScript: run by tests/e2e/test_javascript.py.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { CreateTableCommand, DeleteTableCommand, DynamoDBClient, waitUntilTableExists } from "@aws-sdk/client-dynamodb";
import { CreateQueueCommand, GetQueueAttributesCommand, SendMessageBatchCommand, SQSClient } from "@aws-sdk/client-sqs";
import { Entity, Service } from "electrodb";
import { Consumer } from "sqs-consumer";

const client = new DynamoDBClient();
const TableName = "electro";

before(async () => {
  const keys = (hash, range) => [
    { AttributeName: hash, KeyType: "HASH" },
    { AttributeName: range, KeyType: "RANGE" },
  ];
  await client.send(
    new CreateTableCommand({
      TableName,
      BillingMode: "PAY_PER_REQUEST",
      KeySchema: keys("pk", "sk"),
      AttributeDefinitions: ["pk", "sk", "pk1", "sk1"].map((AttributeName) => ({ AttributeName, AttributeType: "S" })),
      GlobalSecondaryIndexes: [
        { IndexName: "by-state", KeySchema: keys("pk1", "sk1"), Projection: { ProjectionType: "ALL" } },
      ],
    }),
  );
  await waitUntilTableExists({ client, minDelay: 1, maxWaitTime: 10 }, { TableName });
});

after(() => client.send(new DeleteTableCommand({ TableName })));

test("ElectroDB keeps entities in one table", async () => {
  const task = new Entity(
    {
      model: { entity: "task", version: "1", service: "work" },
      attributes: {
        team: { type: "string" },
        task: { type: "string" },
        points: { type: "number", default: 0 },
        tags: { type: "set", items: "string" },
        notes: { type: "list", items: { type: "string" } },
        state: { type: ["open", "closed"], default: "open" },
      },
      indexes: {
        primary: { pk: { field: "pk", composite: ["team"] }, sk: { field: "sk", composite: ["task"] } },
        byState: {
          index: "by-state",
          pk: { field: "pk1", composite: ["state"] },
          sk: { field: "sk1", composite: ["team"] },
        },
      },
    },
    { client, table: TableName },
  );
  const names = Array.from({ length: 30 }, (_, number) => `t${String(number).padStart(2, "0")}`);
  await task.put(names.map((name) => ({ team: "red", task: name }))).go();
  await task.create({ team: "blue", task: "x", tags: ["p"], notes: ["a"] }).go();
  await assert.rejects(task.create({ team: "blue", task: "x" }).go(), /conditional request failed/);

  const changed = task.patch({ team: "blue", task: "x" }).add({ points: 2, tags: ["r"] }).append({ notes: ["b"] });
  await changed.set({ state: "closed" }).where(({ points }, { lt }) => lt(points, 10)).go();
  const { data } = await task.get({ team: "blue", task: "x" }).go();
  assert.deepEqual(data, {
    team: "blue",
    task: "x",
    points: 2,
    tags: ["p", "r"],
    notes: ["a", "b"],
    state: "closed",
  });
  assert.equal((await task.query.byState({ state: "open" }).go({ pages: "all" })).data.length, 30);
  const page = await task.query.primary({ team: "red" }).go({ limit: 12 });
  const next = await task.query.primary({ team: "red" }).go({ limit: 12, cursor: page.cursor });
  assert.deepEqual([...page.data, ...next.data].map((each) => each.task), names.slice(0, 24));

  const { canceled, data: reasons } = await new Service({ task }).transaction
    .write(({ task }) => [
      task.create({ team: "green", task: "y" }).commit(),
      task.create({ team: "blue", task: "x" }).commit({ response: "all_old" }),
    ])
    .go();
  assert.equal(canceled, true);
  assert.deepEqual(reasons.map((each) => [each.code, each.item?.points]), [["None", undefined], ["ConditionalCheckFailed", 2]]);
});

test("sqs-consumer works a queue off", async () => {
  const sqs = new SQSClient();
  const { QueueUrl } = await sqs.send(new CreateQueueCommand({ QueueName: "tasks" }));
  const Entries = Array.from({ length: 10 }, (_, number) => ({ Id: String(number), MessageBody: String(number) }));
  await sqs.send(new SendMessageBatchCommand({ QueueUrl, Entries }));
  const tried = [];
  const done = new Set();
  await new Promise((resolve) => {
    const consumer = Consumer.create({
      queueUrl: QueueUrl,
      sqs,
      batchSize: 10,
      terminateVisibilityTimeout: true,
      async handleMessage(message) {
        tried.push(message.Body);
        if (message.Body === "3" && !tried.slice(0, -1).includes("3")) throw new Error("at first");
        done.add(message.Body);
        return message;
      },
    });
    consumer.on("processing_error", (error) => assert.match(error.message, /at first/));
    consumer.on("message_processed", () => done.size === 10 && consumer.stop());
    consumer.on("stopped", resolve);
    consumer.start();
  });
  assert.equal(tried.length, 11);
  const AttributeNames = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"];
  const { Attributes } = await sqs.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames }));
  assert.deepEqual(Object.values(Attributes), ["0", "0"]);
});
