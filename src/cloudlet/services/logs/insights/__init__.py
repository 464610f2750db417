"""CloudWatch Logs Insights: queries over log events, written in the Logs Insights query language.

A query is read (`parsing`, to the `syntax`), turned into SQL (`expressions`, `functions`, `aggregates`,
`pipeline`, `gathering`, `inputs`, `planning`), and run by DuckDB (`session`), which is fed with events from the store
(`running`). What was asked and found is kept for seven days (`queries`).

User guide, "CloudWatch Logs Insights language query syntax".
"""
