"""What the commands say: their help, and how far they are."""

from io import StringIO
from unittest import TestCase

from django.core.management import get_commands, load_command_class

from chassis import commands


class Terminal(StringIO):
    def isatty(self):
        return True


class HelpTests(TestCase):
    def test_every_command_of_ours_has_examples_and_exit_codes(self):
        ours = {
            name: app
            for name, app in get_commands().items()
            if app in ("chassis", "orders", "messaging")
        }
        self.assertLessEqual(
            {"create_api_key", "provision_api_key", "prune", "redeliver"}, set(ours)
        )
        for name, app in ours.items():
            text = load_command_class(app, name).create_parser("manage.py", name).format_help()
            with self.subTest(name):
                self.assertIn(f"examples:\n  manage.py {name}", text)
                self.assertRegex(text, r"exit codes:\n  0  \w+")

    def test_an_example_is_taken_by_the_command(self):
        for name in ("create_api_key", "provision_api_key", "prune", "redeliver"):
            command = load_command_class(get_commands()[name], name)
            parser = command.create_parser("manage.py", name)
            for example in command.examples:
                with self.subTest(name, example=example):
                    parser.parse_args(example.split())


class ProgressTests(TestCase):
    def shown_on(self, stream, texts=("1 of 2", "2 of 2")):
        command = commands.Command(stderr=stream)
        progress = commands.Progress(command)
        for text in texts:
            progress(text)
        progress.end()
        return stream.getvalue()

    def test_a_terminal_shows_one_line_and_ends_with_it_empty(self):
        shown = self.shown_on(Terminal())
        self.assertIn("1 of 2", shown)
        self.assertNotIn("\n", shown)
        self.assertEqual(shown.rpartition("\r")[2], "\x1b[K")

    def test_it_does_not_flicker(self):
        shown = self.shown_on(Terminal(), [f"row {number}" for number in range(1000)])
        self.assertLess(shown.count("row"), 1000)

    def test_a_file_or_a_pipe_sees_nothing(self):
        self.assertEqual(self.shown_on(StringIO()), "")
