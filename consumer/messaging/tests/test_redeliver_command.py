"""`manage.py redeliver`: which results it posts again, and how fast."""

from datetime import UTC, datetime, timedelta
from io import StringIO

from django.core.management import CommandError, call_command
from django.test import TestCase

from messaging import services
from messaging.models import Message, State
from messaging.tests import base
from messaging.tests.base import accept, finished


class RedeliverTests(TestCase):
    def setUp(self):
        base.fresh(self)

    def run_command(self, *args):
        out = StringIO()
        call_command("redeliver", *args, stdout=out)
        return out.getvalue()

    def message(self, state=State.DEAD, **columns):
        message = finished()
        Message.objects.filter(pk=message.pk).update(
            state=state, attempts=12, last_error="503", due_at=None, **columns
        )
        return message

    def delivering(self):
        rows = Message.objects.filter(state=State.DELIVERING, attempts=0)
        return set(rows.values_list("pk", flat=True))

    def test_dead_ones_are_sent_again_and_no_others(self):
        dead = {self.message().pk for _ in range(3)}
        for state in (State.DELIVERED, State.GONE, State.PROCESSING):
            self.message(state)
        with self.captureOnCommitCallbacks() as callbacks:
            said = self.run_command("--dead")
        self.assertEqual(said, "3 are sent again, over 0 s.\n")
        self.assertEqual(self.delivering(), dead)
        self.assertEqual(callbacks, [services.delivery_bell.ring])

    def test_each_begins_its_schedule_anew_under_its_own_id(self):
        message = self.message()
        self.run_command("--dead")
        hook = base.webhook_answers(self, 200)
        base.due_in(message, 0)
        base.deliver()
        message.refresh_from_db()
        self.assertEqual((message.state, message.attempts), (State.DELIVERED, 1))
        self.assertEqual(hook.headers["webhook-id"], str(message.message_id))

    def test_they_are_spread_so_that_no_receiver_is_run_over(self):
        rows = [self.message() for _ in range(100)]
        self.assertIn("over 2 s", self.run_command("--dead"))
        ahead = [base.seconds_until(row) for row in rows]
        self.assertLess(max(ahead), 2)
        self.assertGreater(max(ahead) - min(ahead), 1)

    def test_they_are_named_by_task_message_or_order_key_whatever_became_of_them(self):
        states = (State.DELIVERED, State.GONE, State.DEAD)
        first, second, third = (self.message(state, order_key=f"KEY{state}") for state in states)
        self.message(State.DEAD, order_key="OTHER")
        said = self.run_command(first.task.task_id, f"KEY{State.GONE}", str(third.message_id))
        self.assertEqual(said, "3 are sent again, over 0 s.\n")
        self.assertEqual(self.delivering(), {first.pk, second.pk, third.pk})

    def test_where_one_of_those_named_has_no_result_or_is_unknown_nothing_is_sent(self):
        message, processing = self.message(), accept(order_key="P")
        for name in (processing.task.task_id, "P", "unknown"):
            with self.subTest(name), self.assertRaisesMessage(CommandError, f"again: {name}."):
                self.run_command(message.task.task_id, name)
        self.assertEqual(self.delivering(), set())

    def test_those_unfinished_for_long_are_sent_again(self):
        hour_ago = datetime.now(UTC) - timedelta(hours=1)
        old = {
            self.message(state, created_at=hour_ago).pk for state in (State.DELIVERING, State.DEAD)
        }
        self.message(State.DELIVERED, created_at=hour_ago)
        self.message(State.DEAD)
        self.run_command("--older-than", "30")
        self.assertEqual(self.delivering(), old)

    def test_a_dry_run_counts_and_changes_nothing(self):
        self.message()
        before = list(Message.objects.values())
        self.assertEqual(self.run_command("--dead", "--dry-run"), "1 would be sent again.\n")
        self.assertEqual(list(Message.objects.values()), before)

    def test_it_wants_exactly_one_way_of_choosing(self):
        for args in ((), ("--dead", "--older-than", "1"), ("ABC", "--dead")):
            with self.subTest(args), self.assertRaisesMessage(CommandError, "Give either IDs"):
                self.run_command(*args)
