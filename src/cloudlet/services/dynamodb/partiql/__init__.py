"""PartiQL for DynamoDB: statements that read or write items.

Developer Guide, "PartiQL - a SQL-compatible query language for Amazon DynamoDB". A text becomes tokens (`lexer`) and a
statement (`parser`, `conditions`, `literals`) made of the same conditions and updates as those of expressions; `plans`
says, knowing the table, which items it is about; `reading`, `writing`, `batches` and `transactions`
do it.
"""
