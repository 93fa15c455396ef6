"""The outbox's promises on messages, and that its claims find their rows by index."""

from datetime import UTC, datetime, timedelta

from django.db import connection
from django.test import TestCase, TransactionTestCase
from django.utils import timezone

from chassis.sql import Prepared
from chassis.testing import OutboxContentionTests, OutboxTests
from messaging import hosts, processing, pruning
from messaging.models import DeliveryAttempt, Host, Message, State, TaskAPIKey
from messaging.tests import base


class ProcessingRows:
    """Messages whose task should have ended by now."""

    changes = {"state": State.DEAD, "webhook_api_key": "k.k"}

    def make_row(self):
        message = base.accept()
        base.due_in(message, 0)
        return message

    def due(self):
        return processing.DUE


class DeliveringRows(ProcessingRows):
    """Messages whose result is to be posted."""

    changes = {"state": State.GONE}

    def setUp(self):
        self.host = Host.objects.create(name=base.PRODUCER)

    def make_row(self):
        message = base.finished()
        Message.objects.filter(pk=message.pk).update(claims=0)
        base.due_in(message, 0)
        message.refresh_from_db()
        return message

    def due(self):
        return Prepared(lambda: hosts.rows_of(self.host.pk, probing=False).only("pk"))


class ProcessingOutboxTests(ProcessingRows, OutboxTests, TestCase):
    pass


class DeliveringOutboxTests(DeliveringRows, OutboxTests, TestCase):
    pass


class ProcessingContentionTests(ProcessingRows, OutboxContentionTests, TransactionTestCase):
    pass


class DeliveringContentionTests(DeliveringRows, OutboxContentionTests, TransactionTestCase):
    pass


class PlanTests(TestCase):
    """The plan of each hot query on many rows, nearly all of them of no interest to it."""

    @classmethod
    def setUpTestData(cls):
        message = base.accept()
        host = message.host
        tasks = base.TaskResult.objects.bulk_create(
            base.TaskResult(task_id=f"t{number}", status="SUCCESS") for number in range(2000)
        )
        Message.objects.bulk_create(
            Message(task=task, host=host, state=State.DELIVERED, **cls.columns()) for task in tasks
        )
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")

    @staticmethod
    def columns():
        given = base.body()
        return {name: given[name] for name in base.acceptance.BODY} | {"webhook_url": base.HOOK}

    def plan(self, rows):
        return rows.explain()

    def assert_uses(self, index, rows):
        plan = self.plan(rows)
        self.assertIn(index, plan)
        # No scan of the whole table, in the words of either database.
        self.assertNotRegex(
            plan, r"Seq Scan on messaging_message|SCAN messaging_message\b(?! USING)"
        )

    def test_the_sweeps_claim_uses_its_index(self):
        rows = Message.objects.due_for_processing().values("pk")[:100]
        self.assert_uses("message_processing_due", rows)

    def test_a_hosts_claim_uses_its_index(self):
        rows = hosts.rows_of(Host.objects.get().pk, probing=False).values("pk")[:8]
        self.assert_uses("message_delivering_due", rows)

    def test_a_probes_claim_uses_its_index(self):
        host = Host.objects.get()
        host.open_until = host.failing_since = datetime.now(UTC)
        rows = hosts.rows_of(host.pk, probing=True).values("pk")[:1]
        self.assert_uses("message_delivering_due", rows)

    def test_the_look_for_waiting_hosts_uses_its_index(self):
        rows = Message.objects.delivering().filter(host=Host.objects.get(), due_at__lte=hosts.Now())
        self.assert_uses("message_delivering_due", rows)

    def test_pruning_finds_ended_messages_by_their_index(self):
        rows = pruning.prunable()[pruning.MESSAGES].values("pk")[:500]
        if connection.vendor == "postgresql":  # SQLite takes no partial index for an IN
            self.assert_uses("message_ended", rows)

    def test_pruning_finds_old_attempts_by_their_index(self):
        message = Message.objects.earliest("pk")
        DeliveryAttempt.objects.bulk_create(
            DeliveryAttempt(message=message, at=timezone.now(), ms=1) for _ in range(2000)
        )
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")
        old = pruning.prunable()["attempts"].order_by().values("pk")[:500]
        self.assert_uses("delivery_attempt_at", old)

    def test_pruning_finds_expired_keys_by_their_index(self):
        later, task = timezone.now() + timedelta(days=9), base.TaskResult.objects.earliest("pk")
        TaskAPIKey.objects.bulk_create(
            TaskAPIKey(
                id=f"k{n}", prefix=f"k{n}", hashed_key="x", name="x", task=task, expiry_date=later
            )
            for n in range(2000)
        )
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")
        expired = pruning.prunable()["expired task keys"].order_by().values("pk")[:500]
        self.assert_uses("task_key_expiry", expired)
