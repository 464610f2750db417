// A function that `cdk watch` deploys again, whenever its code changes.

const cdk = require("aws-cdk-lib");

const { aws_lambda: lambda } = cdk;
const stack = new cdk.Stack(new cdk.App(), "Watched");
const greeter = new lambda.Function(stack, "Greeter", {
  code: lambda.Code.fromAsset("greeter"),
  runtime: lambda.Runtime.PYTHON_3_13,
  handler: "greeter.handler",
});
new cdk.CfnOutput(stack, "FunctionOutput", { key: "Function", value: greeter.functionName });
