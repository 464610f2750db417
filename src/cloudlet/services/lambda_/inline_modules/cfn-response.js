// Answers of custom resources, as functions send them: a module that AWS puts beside functions in templates.
//
// CloudFormation user guide, "cfn-response module". It imports nothing of Cloudlet: it runs within users' functions.

exports.SUCCESS = "SUCCESS";
exports.FAILED = "FAILED";

exports.send = function (event, context, responseStatus, responseData, physicalResourceId, noEcho) {
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
  console.log("Response body:\n", body);
  const url = new URL(event.ResponseURL);
  const { request } = require(url.protocol === "http:" ? "http" : "https");
  const headers = { "content-type": "", "content-length": Buffer.byteLength(body) };
  return new Promise((resolve) => {
    // Since Node.js 24 there is no context.done.
    const done = () => {
      resolve();
      context.done?.();
    };
    const sending = request(url, { method: "PUT", headers }, (response) => {
      console.log(`Status code: ${response.statusCode}`);
      response.resume();
      done();
    });
    sending.on("error", (error) => {
      console.log(`send(..) failed executing the request: ${error}`);
      done();
    });
    sending.end(body);
  });
};
