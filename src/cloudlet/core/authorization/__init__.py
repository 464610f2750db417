"""Authorization: who may do what, where permissions are enforced (`--auth strict`).

`sources` finds the policies of a principal by IAM's API, `permissions` answers what they say of a call, and
`enforcement` checks each call to a block before it runs. Operations whose resources have policies of their own are
decided by their block (`cloudlet.core.authorization.resource_policy`), with the same policies of the caller.
"""
