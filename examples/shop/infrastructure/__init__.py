"""The parts of the shop on AWS, in the words of the AWS CDK."""
