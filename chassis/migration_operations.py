"""What migrations of full tables are made of."""

from typing import Any

from django.db.migrations.operations import AddIndex


class AddIndexOnline(AddIndex):
    """Adds an index while the table is written to; its migration is `atomic = False`.

    On PostgreSQL it is made CONCURRENTLY, however long that takes; what a try that was ended has
    left behind, an index that is not valid, is removed before. SQLite has one writer anyway.
    """

    def database_forwards(
        self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any
    ) -> None:
        if schema_editor.connection.vendor != "postgresql":
            super().database_forwards(app_label, schema_editor, from_state, to_state)
            return
        model = to_state.apps.get_model(app_label, self.model_name)
        if not self.allow_migrate_model(schema_editor.connection.alias, model):
            return
        # The settings' own limits are for requests; RESET goes back to them.
        schema_editor.execute("SET statement_timeout = 0")
        schema_editor.execute("SET lock_timeout = 0")
        name = schema_editor.quote_name(self.index.name)
        schema_editor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
        schema_editor.add_index(model, self.index, concurrently=True)
        schema_editor.execute("RESET statement_timeout")
        schema_editor.execute("RESET lock_timeout")
