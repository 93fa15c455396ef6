"""Indexes of a table that is in use: added, and dropped."""

from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.test import TransactionTestCase

from chassis.migration_operations import AddIndexOnline, DropPatternIndex
from messaging.models import Host, Message

(DEAD,) = [index for index in Message._meta.indexes if index.name == "message_dead"]


class AddIndexOnlineTests(TransactionTestCase):
    def setUp(self):
        self.state = MigrationLoader(connection).project_state()
        self.operation = AddIndexOnline("message", DEAD)

    def indexes(self):
        with connection.cursor() as cursor:
            found = connection.introspection.get_constraints(cursor, Message._meta.db_table)
        return [name for name in found if name == DEAD.name]

    def forwards(self):
        with connection.schema_editor(atomic=False) as editor:
            self.operation.database_forwards("messaging", editor, self.state, self.state)

    def test_it_is_removed_and_added_again_in_place_of_what_an_ended_try_has_left(self):
        with connection.schema_editor(atomic=False) as editor:
            self.operation.database_backwards("messaging", editor, self.state, self.state)
        self.assertEqual(self.indexes(), [])
        self.forwards()
        self.assertEqual(self.indexes(), [DEAD.name])
        if connection.vendor == "postgresql":  # where it alone could be left half made
            self.forwards()
            self.assertEqual(self.indexes(), [DEAD.name])


class DropPatternIndexTests(TransactionTestCase):
    def indexes(self):
        with connection.cursor() as cursor:
            found = connection.introspection.get_constraints(cursor, Host._meta.db_table)
        return sorted(found)

    def test_it_drops_one_index_and_makes_it_again(self):
        state = MigrationLoader(connection).project_state()
        operation = DropPatternIndex("host", "name")
        before = self.indexes()
        with connection.schema_editor(atomic=False) as editor:
            operation.database_forwards("messaging", editor, state, state)
        dropped = set(before) - set(self.indexes())
        self.assertEqual(len(dropped), connection.vendor == "postgresql", dropped)
        self.assertTrue(all(name.endswith("_like") for name in dropped))
        with connection.schema_editor(atomic=False) as editor:
            operation.database_backwards("messaging", editor, state, state)
        self.assertEqual(self.indexes(), before)
