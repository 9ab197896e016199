"""What Alembic runs: the revisions, within the transaction that `store.migrate` began."""

from alembic import context

from jackstop.store.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, transactional_ddl=True)
context.run_migrations()
