"""The secrets of a stack of containers."""

import os
import shutil
import stat
import tempfile
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from unittest import TestCase
from urllib.parse import unquote, urlsplit

from standardwebhooks import Webhook

from chassis import provision_secrets


class ProvisionSecretsTests(TestCase):
    def setUp(self) -> None:
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()), "secrets")

    def run_it(self, *arguments: str) -> str:
        with redirect_stdout(StringIO()) as said:
            provision_secrets.main(str(self.folder), *arguments)
        return said.getvalue().strip()

    def read(self) -> dict[str, str]:
        files = (path for path in self.folder.rglob("*") if path.is_file())
        return {str(path.relative_to(self.folder)): path.read_text() for path in files}

    def test_the_halves_of_both_services_fit_together(self) -> None:
        self.assertEqual(self.run_it(), "Secrets made.")
        made = self.read()
        for service, peer in (("producer", "consumer"), ("consumer", "producer")):
            self.assertEqual(made[f"{service}/service_api_key"], made[f"{peer}/{service}_api_key"])
            database = urlsplit(made[f"{service}/database_url"])
            self.assertEqual(
                (database.username, database.password, database.hostname, database.path),
                (service, made[f"{service}-db/password"], f"{service}-db", f"/{service}"),
            )
            broker = urlsplit(made[f"{service}/broker_url"])
            self.assertEqual(
                (broker.username, broker.password, broker.hostname),
                ("shop", made["rabbitmq/password"], "rabbitmq"),
            )
        signing = {
            made[f"{service}/webhook_signing_secrets"] for service in ("producer", "consumer")
        }
        Webhook(*signing)  # raises unless there is one, of the right form
        self.assertNotEqual(made["producer/secret_key"], made["consumer/secret_key"])

    def test_no_two_sets_have_a_secret_in_common(self) -> None:
        first, second = provision_secrets.complete(), provision_secrets.complete()
        self.assertFalse(set(first.values()) & set(second.values()))

    def test_what_is_there_stays_as_it_is(self) -> None:
        self.run_it()
        made = self.read()
        self.assertEqual(self.run_it(), "Secrets are there already.")
        self.assertEqual(self.read(), made)

    def test_what_is_missing_is_made_to_fit_what_is_there(self) -> None:
        self.run_it()
        made = self.read()
        unshared = {
            f"{service}/{name}"
            for service in ("producer", "consumer")
            for name in ("secret_key", "metrics_token")
        }
        for folder in ("producer", "consumer", "producer-db", "consumer-db", "rabbitmq"):
            shutil.rmtree(self.folder / folder)
            self.assertEqual(self.run_it(), "Secrets made.")
            again = self.read()
            self.assertLessEqual({n for n in made if again[n] != made[n]}, unshared, folder)

    def test_a_password_of_ones_own_may_have_any_character(self) -> None:
        own = self.folder / "producer-db" / "password"
        own.parent.mkdir(parents=True)
        own.write_text("p@ss/w:rd\n")
        self.run_it()
        database = urlsplit(self.read()["producer/database_url"])
        self.assertEqual(unquote(database.password or ""), "p@ss/w:rd")
        self.assertEqual(database.hostname, "producer-db")
        shutil.rmtree(own.parent)
        self.run_it()
        self.assertEqual(own.read_text(), "p@ss/w:rd")

    def test_containers_may_read_their_files_and_other_users_of_the_machine_not(
        self,
    ) -> None:
        self.addCleanup(os.umask, os.umask(0o022))
        self.run_it()
        self.assertEqual(stat.S_IMODE(self.folder.stat().st_mode), 0o700)
        for path in self.folder.rglob("*"):
            mode = 0o755 if path.is_dir() else 0o444
            self.assertEqual(stat.S_IMODE(path.stat().st_mode), mode, path)

    def test_the_check_names_what_is_missing_or_empty_and_makes_nothing(self) -> None:
        with self.assertRaisesRegex(SystemExit, "/producer/database_url"):
            self.run_it("--check")
        self.assertFalse(self.folder.exists())
        self.run_it()
        self.assertEqual(self.run_it("--check"), "All secrets are there.")
        empty = self.folder / "consumer" / "secret_key"
        empty.chmod(0o644)
        empty.write_text("\n")
        with self.assertRaisesRegex(SystemExit, "empty: [^ ]*/consumer/secret_key$"):
            self.run_it("--check")
