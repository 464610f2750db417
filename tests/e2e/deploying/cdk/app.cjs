// A shop with all that CDK does in its own ways: assets, images, custom resources, buckets that it empties.

const cdk = require("aws-cdk-lib");

const {
  aws_apigateway: apigateway,
  aws_dynamodb: dynamodb,
  aws_events: events,
  aws_events_targets: targets,
  aws_lambda: lambda,
  aws_lambda_event_sources: sources,
  aws_s3: s3,
  aws_sns: sns,
  aws_sns_subscriptions: subscriptions,
  aws_sqs: sqs,
  custom_resources: custom,
} = cdk;

const stack = new cdk.Stack(new cdk.App(), "Shop");
const table = new dynamodb.Table(stack, "Orders", {
  partitionKey: { name: "id", type: dynamodb.AttributeType.STRING },
  billingMode: dynamodb.BillingMode.PAY_PER_REQUEST,
  removalPolicy: cdk.RemovalPolicy.DESTROY,
});
const bucket = new s3.Bucket(stack, "Labels", { autoDeleteObjects: true, removalPolicy: cdk.RemovalPolicy.DESTROY });
const queue = new sqs.Queue(stack, "Parcels", {
  deadLetterQueue: { queue: new sqs.Queue(stack, "Lost"), maxReceiveCount: 3 },
});
const topic = new sns.Topic(stack, "News");
topic.addSubscription(new subscriptions.SqsSubscription(queue, { rawMessageDelivery: true }));

const code = lambda.Code.fromAsset("code");
const order = new lambda.Function(stack, "Order", {
  code,
  runtime: lambda.Runtime.PYTHON_3_13,
  handler: "orders.handler",
  environment: { TABLE: table.tableName, BUCKET: bucket.bucketName },
});
table.grantReadWriteData(order);
bucket.grantReadWrite(order);
order.addEventSource(new sources.SqsEventSource(queue));
const api = new apigateway.LambdaRestApi(stack, "Api", { handler: order });
new events.Rule(stack, "Placed", {
  eventPattern: { source: ["shop"] },
  targets: [new targets.LambdaFunction(order), new targets.SnsTopic(topic)],
});

const seed = new lambda.Function(stack, "Seed", { code, runtime: lambda.Runtime.PYTHON_3_13, handler: "seed.handler" });
const provider = new custom.Provider(stack, "Provider", { onEventHandler: seed });
const seeded = new cdk.CustomResource(stack, "Seeded", {
  serviceToken: provider.serviceToken,
  properties: { word: "seed" },
});
const image = new lambda.DockerImageFunction(stack, "Image", { code: lambda.DockerImageCode.fromImageAsset("image") });

const outputs = {
  Api: api.restApiId,
  Bucket: bucket.bucketName,
  Image: image.functionName,
  Queue: queue.queueUrl,
  Table: table.tableName,
  Topic: topic.topicArn,
  Word: seeded.getAttString("Word"),
};
for (const [name, value] of Object.entries(outputs)) new cdk.CfnOutput(stack, `${name}Output`, { key: name, value });
