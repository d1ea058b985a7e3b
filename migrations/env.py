"""Runs the migrations: on the connection that the app hands over, or for `flask db` on the app's
own database.
"""

from alembic import context
from sqlalchemy import Connection
from sqlalchemy.schema import SchemaItem

from quota_web import store


def _is_ours(
    item: SchemaItem, name: str | None, kind: str, _reflected: bool, _compared: SchemaItem | None
) -> bool:
    return not (kind == "table" and name not in store.models.metadata.tables)


def _run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=store.models.metadata,
        # SQLite cannot alter most of a table: batch mode rebuilds it.
        render_as_batch=True,
        compare_type=True,
        include_object=_is_ours,
        transaction_per_migration=False,
    )
    with context.begin_transaction():
        context.run_migrations()


handed = context.config.attributes.get("connection")
if handed is not None:
    _run(handed)
else:
    with store.schema.migrating() as connection, connection.begin():
        _run(connection)
        store.schema.check_references(connection)
