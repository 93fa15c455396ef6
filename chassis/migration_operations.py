"""What migrations of full tables are made of."""

from typing import Any

from django.db.migrations.operations import AddIndex
from django.db.migrations.operations.base import Operation


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


class DropPatternIndex(Operation):
    """Drops the second index that Django makes on PostgreSQL for a unique text column, which serves
    LIKE 'x%' alone; its migration is `atomic = False`.

    Where nobody searches so, each insert pays for a random page of an index that is never read.
    """

    reduces_to_sql = True

    def __init__(self, model_name: str, field_name: str) -> None:
        self.model_name, self.field_name = model_name, field_name

    def state_forwards(self, app_label: str, state: Any) -> None:
        pass

    def database_forwards(
        self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any
    ) -> None:
        if schema_editor.connection.vendor == "postgresql":
            name = self._statement(app_label, schema_editor, to_state).parts["name"]
            schema_editor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")

    def database_backwards(
        self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any
    ) -> None:
        if schema_editor.connection.vendor == "postgresql":
            schema_editor.execute(self._statement(app_label, schema_editor, to_state))

    def _statement(self, app_label: str, schema_editor: Any, state: Any) -> Any:
        model = state.apps.get_model(app_label, self.model_name)
        field = model._meta.get_field(self.field_name)
        return schema_editor._create_like_index_sql(model, field)

    def describe(self) -> str:
        return f"Drop the index for patterns of {self.model_name}.{self.field_name}"
