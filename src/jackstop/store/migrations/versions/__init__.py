"""The revisions of the schema, first to last."""
