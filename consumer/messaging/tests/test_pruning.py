"""What is deleted by age, and what never is."""

from datetime import UTC, datetime, timedelta
from io import StringIO
from unittest import mock

from django.core.management import call_command
from django.test import TestCase, override_settings
from django_celery_results.models import TaskResult

from messaging import pruning, tasks
from messaging.models import DeliveryAttempt, Host, Message, State, TaskAPIKey
from messaging.tests import base
from messaging.tests.base import finished

NOW = datetime.now(UTC)


@override_settings(RETENTION_DAYS=30)
class PruneTestCase(TestCase):
    def message(self, state, days):
        message = finished()
        Message.objects.filter(pk=message.pk).update(
            state=state, created_at=NOW - timedelta(days=days)
        )
        DeliveryAttempt.objects.create(message=message, at=NOW, ms=1, status=200)
        return message

    def left(self):
        return set(Message.objects.values_list("pk", flat=True))


class PruneTests(PruneTestCase):
    def test_delivered_and_gone_ones_go_with_all_that_hangs_on_them(self):
        for state in (State.DELIVERED, State.GONE):
            message = self.message(state, 31)
            TaskAPIKey.objects.create_key(name="k", task=message.task)
        self.assertEqual(pruning.prune_batch()["messages with their results"], 2)
        for model in (Message, TaskResult, DeliveryAttempt, TaskAPIKey):
            self.assertEqual(model.objects.count(), 0, model)

    def test_younger_ones_stay_with_all_that_hangs_on_them(self):
        message = self.message(State.DELIVERED, 29)
        TaskAPIKey.objects.create_key(name="k", task=message.task)
        pruning.prune_batch()
        for model in (Message, TaskResult, DeliveryAttempt, TaskAPIKey):
            self.assertEqual(model.objects.count(), 1, model)

    def test_a_process_whose_clock_is_years_ahead_deletes_no_more(self):
        message = self.message(State.DELIVERED, 29)
        with mock.patch("django.utils.timezone.now", return_value=NOW + timedelta(days=999)):
            pruning.prune_batch()
        self.assertEqual(self.left(), {message.pk})

    def test_dead_and_unfinished_ones_stay_however_old(self):
        kept = {
            self.message(state, 4000).pk
            for state in (State.DEAD, State.PROCESSING, State.DELIVERING)
        }
        pruning.prune_batch()
        self.assertEqual(self.left(), kept)

    def test_rows_written_by_hand_stay_however_old(self):
        TaskResult.objects.create(task_id="by-hand", status="SUCCESS")
        TaskResult.objects.update(date_created=NOW - timedelta(days=4000))
        pruning.prune_batch()
        self.assertEqual(base.tasks(), 1)

    def test_keys_that_have_expired_go_and_good_ones_stay(self):
        task = finished().task
        for days in (-1, 1):
            expiry = NOW + timedelta(days=days)
            TaskAPIKey.objects.create_key(name=str(days), task=task, expiry_date=expiry)
        TaskAPIKey.objects.create_key(name="for ever", task=task)
        self.assertEqual(pruning.prune_batch()["expired task keys"], 1)
        names = set(TaskAPIKey.objects.values_list("name", flat=True))
        self.assertEqual(names, {"1", "for ever"})

    def test_hosts_that_no_message_names_go_and_the_others_stay(self):
        for state in State.values:
            finished(webhook_url=f"https://{state}.example/")
            Message.objects.filter(host__name__contains=state).update(state=state)
        Host.objects.create(name="https://unused.example")
        self.assertEqual(pruning.prune_batch()["hosts without messages"], 1)
        self.assertEqual(Host.objects.count(), len(State.values))
        self.assertFalse(Host.objects.filter(name="https://unused.example").exists())

    def test_a_host_that_was_pruned_is_made_anew_by_its_next_message(self):
        Message.objects.filter(pk=finished().pk).delete()
        pruning.prune_batch()
        self.assertEqual(Host.objects.count(), 0)
        self.assertEqual(finished().host, Host.objects.get())

    def test_a_turn_deletes_one_batch_of_each_kind(self):
        expiry = NOW - timedelta(days=1)
        for _ in range(3):
            task = self.message(State.DELIVERED, 31).task
            TaskAPIKey.objects.create_key(name="k", task=task, expiry_date=expiry)
        TaskAPIKey.objects.all().update(task=finished().task)
        with mock.patch.object(pruning, "BATCH", 2):
            for expected in ((2, 2), (1, 1), (0, 0)):
                found = pruning.prune_batch()
                self.assertEqual(
                    (found["messages with their results"], found["expired task keys"]), expected
                )

    def test_one_that_is_taken_up_again_meanwhile_stays(self):
        message = self.message(State.DELIVERED, 31)
        Message.objects.filter(pk=message.pk).update(state=State.DELIVERING)
        chosen = Message.objects.filter(pk=message.pk)
        self.assertEqual(pruning._delete_messages(chosen), 0)
        self.assertEqual(self.left(), {message.pk})

    def test_old_attempts_of_a_message_that_stays_go_and_new_ones_stay(self):
        """A host that never answers is probed for days, each time with an attempt."""
        message = self.message(State.DEAD, 400)
        DeliveryAttempt.objects.create(message=message, at=NOW - timedelta(days=31), ms=1)
        self.assertEqual(pruning.prune_batch()["attempts"], 1)
        self.assertEqual(DeliveryAttempt.objects.get().at, NOW)

    def test_the_workers_task_goes_on_while_there_is_more(self):
        for _ in range(5):
            self.message(State.DELIVERED, 31)
        with mock.patch.object(pruning, "BATCH", 2):
            self.assertEqual(tasks.prune()["messages with their results"], 5)
        self.assertEqual(self.left(), set())

    def test_the_workers_task_ends_after_a_moment(self):
        for _ in range(5):
            self.message(State.DELIVERED, 31)
        with mock.patch.object(pruning, "BATCH", 2), mock.patch("chassis.pruning.MOMENT", -1):
            self.assertEqual(tasks.prune()["messages with their results"], 2)

    def test_what_was_pruned_is_made_anew_when_somebody_asks(self):
        message = self.message(State.DELIVERED, 31)
        pruning.prune_batch()
        again = base.accept(message_id=message.message_id)
        self.assertEqual((again.state, again.task.status), (State.PROCESSING, "PENDING"))


class PruneCommandTests(PruneTestCase):
    def run_command(self, *args):
        out = StringIO()
        call_command("prune", *args, stdout=out)
        return out.getvalue()

    def test_the_command_goes_on_until_nothing_is_left(self):
        for _ in range(5):
            self.message(State.DELIVERED, 31)
        with mock.patch.object(pruning, "BATCH", 2):
            said = self.run_command()
        self.assertEqual(said, "Deleted 5 messages with their results, 1 hosts without messages.\n")
        self.assertEqual(self.left(), set())

    def test_a_dry_run_says_what_would_go_and_deletes_nothing(self):
        kept = {self.message(State.DELIVERED, 31).pk, self.message(State.DEAD, 31).pk}
        said = self.run_command("--dry-run")
        self.assertEqual(said, "Would delete 1 messages with their results.\n")
        self.assertEqual(self.left(), kept)

    def test_the_command_takes_another_age(self):
        kept = self.message(State.DELIVERED, 5)
        self.message(State.DELIVERED, 8)
        self.run_command("--days", "7")
        self.assertEqual(self.left(), {kept.pk})

    def test_with_nothing_to_delete_it_says_so(self):
        self.assertEqual(self.run_command(), "Deleted nothing.\n")
