// The AWS SDK for JavaScript on EventBridge, Lambda and API Gateway: run by tests/e2e/test_javascript.py.
import assert from "node:assert/strict";
import { test } from "node:test";
import { deflateRawSync, crc32 } from "node:zlib";
import {
  AddPermissionCommand as AllowCommand,
  CreateFunctionCommand,
  CreateFunctionUrlConfigCommand,
  GetFunctionCommand,
  InvokeCommand,
  InvokeWithResponseStreamCommand,
  LambdaClient,
  ResourceNotFoundException,
  waitUntilFunctionActiveV2,
} from "@aws-sdk/client-lambda";
import {
  ApiGatewayV2Client,
  CreateApiCommand,
  CreateIntegrationCommand,
  CreateRouteCommand,
  CreateStageCommand,
  GetRoutesCommand,
  NotFoundException,
  GetApiCommand,
} from "@aws-sdk/client-apigatewayv2";
import {
  EventBridgeClient,
  PutEventsCommand,
  PutRuleCommand,
  PutTargetsCommand,
  TestEventPatternCommand,
} from "@aws-sdk/client-eventbridge";
import {
  CreateQueueCommand,
  ReceiveMessageCommand,
  SQSClient,
  SetQueueAttributesCommand,
} from "@aws-sdk/client-sqs";

const lambda = new LambdaClient();
const gateway = new ApiGatewayV2Client();
const events = new EventBridgeClient();
const sqs = new SQSClient();
const account = process.env.AWS_ACCESS_KEY_ID;
const Runtime = process.env.RUNTIME;

// A ZIP file with one file in it.
function zip(name, text) {
  const data = deflateRawSync(Buffer.from(text));
  const entry = Buffer.alloc(26);
  entry.writeUInt16LE(20, 0);
  entry.writeUInt16LE(8, 4);
  entry.writeUInt32LE(crc32(Buffer.from(text)), 10);
  entry.writeUInt32LE(data.length, 14);
  entry.writeUInt32LE(Buffer.byteLength(text), 18);
  entry.writeUInt16LE(Buffer.byteLength(name), 22);
  const local = Buffer.concat([Buffer.from("PK\x03\x04"), entry, Buffer.from(name), data]);
  const more = Buffer.alloc(14);
  more.writeUInt32LE(0o100644 * 65536, 6);
  const central = Buffer.concat([Buffer.from("PK\x01\x02\x14\x03"), entry, more, Buffer.from(name)]);
  const end = Buffer.alloc(18);
  end.writeUInt16LE(1, 4);
  end.writeUInt16LE(1, 6);
  end.writeUInt32LE(central.length, 8);
  end.writeUInt32LE(local.length, 12);
  return Buffer.concat([local, central, Buffer.from("PK\x05\x06"), end]);
}

async function createFunction(FunctionName, text) {
  const { FunctionArn } = await lambda.send(
    new CreateFunctionCommand({
      FunctionName,
      Runtime,
      Handler: "index.handler",
      Role: `arn:aws:iam::${account}:role/shop`,
      Code: { ZipFile: zip("index.mjs", text) },
      MemorySize: 1769,
      Timeout: 30,
    }),
  );
  await waitUntilFunctionActiveV2({ client: lambda, maxWaitTime: 60, minDelay: 0.05, maxDelay: 0.2 }, { FunctionName });
  return FunctionArn;
}

test("a function answers, fails, and answers in pieces", async () => {
  const arn = await createFunction(
    "greet",
    `export const handler = async (event, context) => {
      if (event.fail) throw new TypeError(event.fail);
      console.log("greeted", event.name);
      return { greeting: "Grüße an " + event.name, arn: context.invokedFunctionArn };
    };`,
  );
  const invoke = (event) =>
    lambda.send(new InvokeCommand({ FunctionName: "greet", Payload: JSON.stringify(event), LogType: "Tail" }));
  const answer = await invoke({ name: "ann" });
  assert.deepEqual(JSON.parse(answer.Payload.transformToString()), { greeting: "Grüße an ann", arn });
  assert.match(Buffer.from(answer.LogResult, "base64").toString(), /greeted ann/);

  const failed = await invoke({ fail: "as asked" });
  assert.equal(failed.FunctionError, "Unhandled");
  const { errorType, errorMessage } = JSON.parse(failed.Payload.transformToString());
  assert.deepEqual([errorType, errorMessage], ["TypeError", "as asked"]);

  await createFunction(
    "stream",
    `export const handler = awslambda.streamifyResponse(async (event, stream) => {
      for (const word of event.words) stream.write(word);
      stream.end();
    });`,
  );
  const streamed = await lambda.send(
    new InvokeWithResponseStreamCommand({ FunctionName: "stream", Payload: JSON.stringify({ words: ["a", "b", "ç"] }) }),
  );
  let text = "";
  let completed = false;
  for await (const { PayloadChunk, InvokeComplete } of streamed.EventStream) {
    if (PayloadChunk) text += Buffer.from(PayloadChunk.Payload).toString();
    if (InvokeComplete) completed = true;
  }
  assert.deepEqual([text, completed], ["abç", true]);
  await assert.rejects(lambda.send(new GetFunctionCommand({ FunctionName: "none" })), ResourceNotFoundException);
});

test("a function is asked through an API and through its URL", async () => {
  const arn = await createFunction(
    "orders",
    `export const handler = async (event) => ({
      statusCode: 201,
      headers: { "x-path": event.rawPath },
      cookies: ["a=1", "b=2"],
      body: JSON.stringify({ id: event.pathParameters?.id ?? null, sent: JSON.parse(event.body) }),
    });`,
  );
  const { ApiId, ApiEndpoint } = await gateway.send(
    new CreateApiCommand({ Name: "shop", ProtocolType: "HTTP", CorsConfiguration: { AllowOrigins: ["https://shop.example"] } }),
  );
  const { IntegrationId } = await gateway.send(
    new CreateIntegrationCommand({
      ApiId,
      IntegrationType: "AWS_PROXY",
      IntegrationUri: arn,
      PayloadFormatVersion: "2.0",
    }),
  );
  const Target = `integrations/${IntegrationId}`;
  await gateway.send(new CreateRouteCommand({ ApiId, RouteKey: "POST /orders/{id}", Target }));
  await gateway.send(new CreateStageCommand({ ApiId, StageName: "$default", AutoDeploy: true }));
  await lambda.send(
    new AllowCommand({
      FunctionName: "orders",
      StatementId: "api",
      Action: "lambda:InvokeFunction",
      Principal: "apigateway.amazonaws.com",
      SourceArn: `arn:aws:execute-api:us-east-1:${account}:${ApiId}/*/*/orders/{id}`,
    }),
  );
  const { Items } = await gateway.send(new GetRoutesCommand({ ApiId }));
  assert.deepEqual(Items.map((route) => route.RouteKey), ["POST /orders/{id}"]);

  const ask = async (url) => {
    const sent = { method: "POST", body: JSON.stringify({ of: "a desk" }), headers: { origin: "https://shop.example" } };
    const answer = await fetch(url, sent);
    return [answer, await answer.json()];
  };
  const [answer, body] = await ask(`${ApiEndpoint}/orders/7`);
  assert.deepEqual([answer.status, body], [201, { id: "7", sent: { of: "a desk" } }]);
  assert.deepEqual(answer.headers.getSetCookie(), ["a=1", "b=2"]);
  assert.equal(answer.headers.get("access-control-allow-origin"), "https://shop.example");
  assert.equal((await fetch(`${ApiEndpoint}/none`)).status, 404);

  const { FunctionUrl } = await lambda.send(
    new CreateFunctionUrlConfigCommand({ FunctionName: "orders", AuthType: "NONE" }),
  );
  await lambda.send(
    new AllowCommand({
      FunctionName: "orders",
      StatementId: "url",
      Action: "lambda:InvokeFunctionUrl",
      Principal: "*",
      FunctionUrlAuthType: "NONE",
    }),
  );
  const [direct, same] = await ask(`${FunctionUrl}at/all`);
  assert.deepEqual([direct.status, direct.headers.get("x-path"), same.id], [201, "/at/all", null]);
  await assert.rejects(gateway.send(new GetApiCommand({ ApiId: "none" })), NotFoundException);
});

test("events go where rules send them", async () => {
  const { QueueUrl } = await sqs.send(new CreateQueueCommand({ QueueName: "orders" }));
  const Arn = `arn:aws:sqs:us-east-1:${account}:orders`;
  const allowed = { Effect: "Allow", Principal: { Service: "events.amazonaws.com" }, Action: "sqs:SendMessage", Resource: Arn };
  const Policy = JSON.stringify({ Version: "2012-10-17", Statement: [allowed] });
  await sqs.send(new SetQueueAttributesCommand({ QueueUrl, Attributes: { Policy } }));

  const EventPattern = JSON.stringify({ source: ["shop"], detail: { total: [{ numeric: [">", 100] }] } });
  await events.send(new PutRuleCommand({ Name: "large", EventPattern }));
  const InputTransformer = { InputPathsMap: { total: "$.detail.total" }, InputTemplate: '{"large": <total>}' };
  await events.send(new PutTargetsCommand({ Rule: "large", Targets: [{ Id: "queue", Arn, InputTransformer }] }));

  const Entries = [50, 150].map((total) => ({
    Source: "shop",
    DetailType: "order",
    Detail: JSON.stringify({ total }),
    Time: new Date(),
  }));
  const put = await events.send(new PutEventsCommand({ Entries: [...Entries, { Source: "shop", Detail: "{}" }] }));
  assert.deepEqual([put.FailedEntryCount, put.Entries.map((each) => each.ErrorCode)], [1, [undefined, undefined, "InvalidArgument"]]);

  const { Messages } = await sqs.send(new ReceiveMessageCommand({ QueueUrl, WaitTimeSeconds: 20 }));
  assert.deepEqual(Messages.map((message) => JSON.parse(message.Body)), [{ large: 150 }]);

  const Event = JSON.stringify({
    id: "1",
    account,
    source: "shop",
    time: "2026-01-01T00:00:00Z",
    region: "us-east-1",
    resources: [],
    "detail-type": "order",
    detail: { total: 101 },
  });
  assert.equal((await events.send(new TestEventPatternCommand({ EventPattern, Event }))).Result, true);
});
