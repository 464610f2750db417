// The module `cfn-response`, which functions find whose source is in a template: it answers for custom resources.
// It has the interface of AWS's: CloudFormation's user guide, "cfn-response module".

exports.SUCCESS = "SUCCESS";
exports.FAILED = "FAILED";

exports.send = (event, context, responseStatus, responseData, physicalResourceId, noEcho) => {
  const body = JSON.stringify({
    Status: responseStatus,
    Reason: `See the details in CloudWatch Log Stream: ${context.logStreamName}`,
    PhysicalResourceId: physicalResourceId || context.logStreamName,
    StackId: event.StackId,
    RequestId: event.RequestId,
    LogicalResourceId: event.LogicalResourceId,
    NoEcho: noEcho || false,
    Data: responseData,
  });
  const url = new URL(event.ResponseURL);
  const { request } = require(url.protocol === "http:" ? "http" : "https");
  const headers = { "content-type": "", "content-length": Buffer.byteLength(body) };
  return new Promise((resolve) => {
    const done = (said) => {
      console.log(said);
      context.done?.();
      resolve();
    };
    request(url, { method: "PUT", headers }, (response) => done(`Status code: ${response.statusCode}`))
      .on("error", (error) => done(`send(..) failed executing request(..): ${error}`))
      .end(body);
  });
};
