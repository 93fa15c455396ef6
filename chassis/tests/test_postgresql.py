"""How chassis.postgresql writes a statement that is to be prepared; the rest needs a server."""

from unittest import TestCase

from chassis.postgresql.base import _prepared_form


class PreparedFormTests(TestCase):
    def test_its_parameters_are_numbered_and_passed_when_it_is_executed(self):
        name, numbered, execute = _prepared_form("SELECT %s WHERE a = %s AND b LIKE '10%%'")
        self.assertEqual(numbered, "SELECT $1 WHERE a = $2 AND b LIKE '10%'")
        self.assertEqual(execute, f"EXECUTE {name} (%s, %s)")

    def test_without_parameters_it_is_executed_by_its_name(self):
        name, numbered, execute = _prepared_form("SELECT 1")
        self.assertEqual((numbered, execute), ("SELECT 1", f"EXECUTE {name}"))

    def test_each_statement_has_a_name_of_its_own(self):
        self.assertNotEqual(_prepared_form("SELECT 1")[0], _prepared_form("SELECT 2")[0])
