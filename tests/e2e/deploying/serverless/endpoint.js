// The Serverless Framework has the SDK for JavaScript 2, which knows no AWS_ENDPOINT_URL.
module.exports = class Endpoint {
  constructor(serverless) {
    serverless.getProvider("aws").sdk.config.update({ endpoint: process.env.AWS_ENDPOINT_URL, s3ForcePathStyle: true });
  }
};
