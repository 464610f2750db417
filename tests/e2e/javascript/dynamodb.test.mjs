// The AWS SDK for JavaScript on DynamoDB: run by tests/e2e/test_javascript.py.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import {
  ConditionalCheckFailedException,
  CreateTableCommand,
  DeleteTableCommand,
  DynamoDBClient,
  TransactionCanceledException,
  waitUntilTableExists,
  waitUntilTableNotExists,
} from "@aws-sdk/client-dynamodb";
import {
  BatchGetCommand,
  BatchWriteCommand,
  DynamoDBDocumentClient,
  GetCommand,
  PutCommand,
  TransactWriteCommand,
  UpdateCommand,
  paginateQuery,
  paginateScan,
} from "@aws-sdk/lib-dynamodb";

const client = new DynamoDBClient();
const documents = DynamoDBDocumentClient.from(client, { marshallOptions: { removeUndefinedValues: true } });
const TableName = "orders";

before(async () => {
  await client.send(
    new CreateTableCommand({
      TableName,
      KeySchema: [
        { AttributeName: "customer", KeyType: "HASH" },
        { AttributeName: "number", KeyType: "RANGE" },
      ],
      AttributeDefinitions: [
        { AttributeName: "customer", AttributeType: "S" },
        { AttributeName: "number", AttributeType: "N" },
        { AttributeName: "state", AttributeType: "S" },
      ],
      GlobalSecondaryIndexes: [
        {
          IndexName: "by-state",
          KeySchema: [{ AttributeName: "state", KeyType: "HASH" }],
          Projection: { ProjectionType: "ALL" },
        },
      ],
      BillingMode: "PAY_PER_REQUEST",
    }),
  );
  await waitUntilTableExists({ client, maxWaitTime: 20, minDelay: 1 }, { TableName });
});

after(async () => {
  await client.send(new DeleteTableCommand({ TableName }));
  await waitUntilTableNotExists({ client, maxWaitTime: 20, minDelay: 1 }, { TableName });
});

test("an item comes back with JavaScript's types", async () => {
  const item = {
    customer: "ann",
    number: 1,
    paid: true,
    none: null,
    rate: -0.125,
    names: new Set(["a", "b"]),
    bytes: new Uint8Array([0, 1, 255]),
    lines: [{ what: "desk", pieces: 2 }, [], {}],
  };
  await documents.send(new PutCommand({ TableName, Item: { ...item, gone: undefined } }));
  const { Item } = await documents.send(new GetCommand({ TableName, Key: { customer: "ann", number: 1 } }));
  assert.deepEqual(Item, item);

  const exact = DynamoDBDocumentClient.from(new DynamoDBClient(), { unmarshallOptions: { wrapNumbers: true } });
  await exact.send(new PutCommand({ TableName, Item: { customer: "ann", number: 2, big: 12345678901234567890n } }));
  const found = await exact.send(new GetCommand({ TableName, Key: { customer: "ann", number: 2 } }));
  assert.equal(found.Item.big.value, "12345678901234567890");
});

test("an item is changed where a condition holds", async () => {
  const Key = { customer: "bob", number: 1 };
  await documents.send(new PutCommand({ TableName, Item: { ...Key, stock: 1 } }));
  const take = new UpdateCommand({
    TableName,
    Key,
    UpdateExpression: "SET stock = stock - :one",
    ConditionExpression: "stock >= :one",
    ExpressionAttributeValues: { ":one": 1 },
    ReturnValues: "UPDATED_NEW",
    ReturnValuesOnConditionCheckFailure: "ALL_OLD",
  });
  const sold = await Promise.allSettled([documents.send(take), documents.send(take)]);
  const [won] = sold.filter((each) => each.status === "fulfilled");
  const [lost] = sold.filter((each) => each.status === "rejected");
  assert.deepEqual(won.value.Attributes, { stock: 0 });
  assert.ok(lost.reason instanceof ConditionalCheckFailedException);
  assert.deepEqual(lost.reason.Item.stock, { N: "0" });
});

test("batches are written, and read page by page", async () => {
  const numbers = Array.from({ length: 25 }, (_, n) => n + 1);
  await documents.send(
    new BatchWriteCommand({
      RequestItems: {
        [TableName]: numbers.map((number) => ({
          PutRequest: { Item: { customer: "carl", number, state: number % 5 ? "new" : "paid" } },
        })),
      },
    }),
  );
  const pages = paginateQuery(
    { client: documents, pageSize: 10 },
    {
      TableName,
      KeyConditionExpression: "customer = :c",
      ExpressionAttributeValues: { ":c": "carl" },
      ScanIndexForward: false,
    },
  );
  const seen = [];
  for await (const page of pages) seen.push(page.Items.map((item) => item.number));
  assert.deepEqual(seen.map((page) => page.length), [10, 10, 5]);
  assert.deepEqual(seen.flat(), numbers.toReversed());

  let paid = 0;
  for await (const page of paginateScan({ client: documents }, { TableName, IndexName: "by-state", Limit: 4 })) {
    paid += page.Items.filter((item) => item.state === "paid").length;
  }
  assert.equal(paid, 5);

  const { Responses } = await documents.send(
    new BatchGetCommand({ RequestItems: { [TableName]: { Keys: [{ customer: "carl", number: 7 }] } } }),
  );
  assert.deepEqual(Responses[TableName], [{ customer: "carl", number: 7, state: "new" }]);
});

test("a transaction happens whole or not at all", async () => {
  const put = (number, ConditionExpression) => ({
    Put: { TableName, Item: { customer: "dora", number }, ConditionExpression },
  });
  await documents.send(new TransactWriteCommand({ TransactItems: [put(1), put(2)] }));
  const again = new TransactWriteCommand({ TransactItems: [put(3), put(1, "attribute_not_exists(customer)")] });
  await assert.rejects(documents.send(again), (error) => {
    assert.ok(error instanceof TransactionCanceledException);
    assert.deepEqual(error.CancellationReasons.map((reason) => reason.Code), ["None", "ConditionalCheckFailed"]);
    return true;
  });
  const { Item } = await documents.send(new GetCommand({ TableName, Key: { customer: "dora", number: 3 } }));
  assert.equal(Item, undefined);
});
