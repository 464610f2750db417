// A stack of a queue that was there before it.

const cdk = require("aws-cdk-lib");

const stack = new cdk.Stack(new cdk.App(), "Old");
const queue = new cdk.aws_sqs.Queue(stack, "Queue", { removalPolicy: cdk.RemovalPolicy.RETAIN });
queue.node.defaultChild.overrideLogicalId("Queue");
