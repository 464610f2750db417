// The AWS SDK for JavaScript on CloudWatch and CloudWatch Logs: run by tests/e2e/test_javascript.py.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import {
  CloudWatchClient,
  DescribeAlarmsCommand,
  GetMetricDataCommand,
  InvalidParameterValueException,
  PutMetricAlarmCommand,
  PutMetricDataCommand,
  SetAlarmStateCommand,
  paginateListMetrics,
} from "@aws-sdk/client-cloudwatch";
import {
  CloudWatchLogsClient,
  CreateLogGroupCommand,
  CreateLogStreamCommand,
  GetQueryResultsCommand,
  PutLogEventsCommand,
  ResourceNotFoundException,
  StartLiveTailCommand,
  StartQueryCommand,
  paginateFilterLogEvents,
} from "@aws-sdk/client-cloudwatch-logs";
import { AwsSmithyRpcV2CborProtocol } from "@aws-sdk/core/protocols";

const cloudwatch = new CloudWatchClient();
// A live tail would be at stream-localhost otherwise.
const logs = new CloudWatchLogsClient({ disableHostPrefix: true });

async function collect(pages, of) {
  const found = [];
  for await (const page of pages) found.push(...page[of]);
  return found;
}

async function measure(client, Namespace) {
  const Timestamp = new Date(Math.floor(Date.now() / 60_000) * 60_000 - 120_000);
  const values = { Timestamp, Values: [1, 2.5, 10], Counts: [1, 2, 1], Unit: "Milliseconds" };
  const metric = (host) => ({ MetricName: "Latency", Dimensions: [{ Name: "Host", Value: host }] });
  const MetricData = ["a", "b"].map((host) => ({ ...metric(host), ...values }));
  await client.send(new PutMetricDataCommand({ Namespace, MetricData }));

  const listed = await collect(paginateListMetrics({ client }, { Namespace }), "Metrics");
  assert.deepEqual(listed.map((each) => each.Dimensions[0].Value).sort(), ["a", "b"]);

  const query = (Id, host, Stat) => ({
    Id,
    MetricStat: { Metric: { Namespace, ...metric(host) }, Period: 60, Stat },
    ReturnData: false,
  });
  const { MetricDataResults } = await client.send(
    new GetMetricDataCommand({
      StartTime: new Date(Timestamp.getTime() - 60_000),
      EndTime: new Date(),
      MetricDataQueries: [
        query("a", "a", "Sum"),
        query("b", "b", "Maximum"),
        { Id: "both", Expression: "a + b", Label: "together" },
      ],
    }),
  );
  assert.equal(MetricDataResults.length, 1);
  const [{ Label, Timestamps, Values }] = MetricDataResults;
  assert.deepEqual([Label, Timestamps, Values], ["together", [Timestamp], [26]]);

  const foreign = { Namespace: "AWS/Shop", MetricData: [{ MetricName: "Latency", Value: 1 }] };
  await assert.rejects(client.send(new PutMetricDataCommand(foreign)), InvalidParameterValueException);
}

test("what is measured is found, and computed with", () => measure(cloudwatch, "Shop"));

test("the same in CBOR", async () => {
  const client = new CloudWatchClient({ protocol: AwsSmithyRpcV2CborProtocol });
  const types = new Set();
  const note = (next) => async (args) => {
    const answer = await next(args);
    types.add(answer.response.headers["content-type"]);
    return answer;
  };
  client.middlewareStack.add(note, { step: "deserialize", priority: "low" });
  await measure(client, "ShopInCbor");
  // An answer with nothing in it has no type.
  assert.deepEqual([...types], [undefined, "application/cbor"]);
});

test("an alarm has a state", async () => {
  await cloudwatch.send(
    new PutMetricAlarmCommand({
      AlarmName: "slow",
      Namespace: "Shop",
      MetricName: "Latency",
      Statistic: "Average",
      Period: 60,
      EvaluationPeriods: 1,
      Threshold: 100.5,
      ComparisonOperator: "GreaterThanThreshold",
      TreatMissingData: "ignore",
      ActionsEnabled: false,
    }),
  );
  await cloudwatch.send(new SetAlarmStateCommand({ AlarmName: "slow", StateValue: "ALARM", StateReason: "as asked" }));
  const { MetricAlarms } = await cloudwatch.send(new DescribeAlarmsCommand({ AlarmNames: ["slow"] }));
  const [{ StateValue, StateReason, Threshold, StateUpdatedTimestamp }] = MetricAlarms;
  assert.deepEqual([StateValue, StateReason, Threshold], ["ALARM", "as asked", 100.5]);
  assert.ok(Date.now() - StateUpdatedTimestamp.getTime() < 60_000);
});

const stream = { logGroupName: "shop", logStreamName: "one" };
const put = (...messages) => {
  const timestamp = Date.now();
  return logs.send(new PutLogEventsCommand({ ...stream, logEvents: messages.map((message) => ({ timestamp, message })) }));
};

test("events are filtered, queried, and seen as they come", async () => {
  await logs.send(new CreateLogGroupCommand({ logGroupName: "shop" }));
  await logs.send(new CreateLogStreamCommand(stream));
  await put(...[1, 2, 3].map((order) => JSON.stringify({ order, total: order * 10 })), "a plain line");

  const filter = { logGroupName: "shop", filterPattern: "{ $.total >= 20 }", limit: 1 };
  const found = await collect(paginateFilterLogEvents({ client: logs }, filter), "events");
  assert.deepEqual(found.map((event) => JSON.parse(event.message).order), [2, 3]);

  const { queryId } = await logs.send(
    new StartQueryCommand({
      logGroupName: "shop",
      startTime: Math.floor(Date.now() / 1000) - 600,
      endTime: Math.floor(Date.now() / 1000) + 60,
      queryString: "filter ispresent(total) | stats sum(total) as all, count(*) as orders",
    }),
  );
  let answer;
  do {
    answer = await logs.send(new GetQueryResultsCommand({ queryId }));
  } while (["Scheduled", "Running"].includes(answer.status));
  assert.deepEqual(answer.results, [[{ field: "all", value: "60" }, { field: "orders", value: "3" }]]);

  const missing = { ...stream, logGroupName: "none", logEvents: [{ timestamp: Date.now(), message: "x" }] };
  await assert.rejects(logs.send(new PutLogEventsCommand(missing)), ResourceNotFoundException);
});

test("a live tail shows what is logged from now on", async () => {
  await logs.send(new CreateLogGroupCommand({ logGroupName: "live" }));
  await logs.send(new CreateLogStreamCommand({ logGroupName: "live", logStreamName: "one" }));
  const logGroupIdentifiers = [`arn:aws:logs:us-east-1:${process.env.AWS_ACCESS_KEY_ID}:log-group:live`];
  const { responseStream } = await logs.send(
    new StartLiveTailCommand({ logGroupIdentifiers, logEventFilterPattern: "order" }),
  );
  const seen = [];
  // It has no end: who has seen enough hangs up.
  after(() => logs.destroy());
  for await (const event of responseStream) {
    if (event.sessionStart) {
      const logEvents = ["an order", "something else", "another order"].map((message) => ({ timestamp: Date.now(), message }));
      await logs.send(new PutLogEventsCommand({ logGroupName: "live", logStreamName: "one", logEvents }));
    }
    seen.push(...(event.sessionUpdate?.sessionResults ?? []).map(({ message }) => message));
    if (seen.length >= 2) break;
  }
  assert.deepEqual(seen, ["an order", "another order"]);
});
