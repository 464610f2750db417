"""What the shop is made of on AWS, in the words of the AWS CDK."""
