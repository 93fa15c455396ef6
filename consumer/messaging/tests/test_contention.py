"""Several requests, workers and drains at once, each on a connection of its own."""

import json
import threading
import time
import uuid
from collections import Counter
from unittest import mock

from django.db import OperationalError, connection, transaction
from django.test import TransactionTestCase
from django_celery_results.models import TaskResult

from chassis import bell
from chassis.clock import SecondsFromNow
from chassis.testing import at_once
from messaging import acceptance, delivery, hosts, processing, pruning, results, services
from messaging.models import DeliveryAttempt, Host, Message, State
from messaging.tests import base
from messaging.tests.base import body, new_id


class ContentionTestCase(TransactionTestCase):
    def setUp(self):
        base.fresh(self)
        base.clear_queues()

    @property
    def many(self):
        return 6 if connection.vendor == "postgresql" else 3  # SQLite has one writer at a time


class AcceptTests(ContentionTestCase):
    """Requests that bring the same messages."""

    def published(self):
        return Counter(message.headers["id"] for message in base.published())

    def send(self, messages):
        accepted = acceptance.accept_messages(messages=messages)
        return [row.message.task.task_id for row in accepted]

    def messages(self, ids):
        return [body(message_id=uuid.UUID(one)) for one in ids]

    def test_the_same_message_at_once_is_one_message_one_task_and_one_publish(self):
        given = self.messages([new_id()])
        answers = at_once(self.many, lambda number: self.send(given))
        self.assertEqual(len({tuple(answer) for answer in answers}), 1)
        self.assertEqual((base.count(), base.tasks()), (1, 1))
        self.assertEqual(self.published(), {answers[0][0]: 1})

    def test_the_same_ids_in_other_orders_at_once_do_not_lock_each_other_out(self):
        ids = [new_id() for _ in range(20)]

        def send(number):
            turned = ids[number:] + ids[:number]
            return dict(zip(turned, self.send(self.messages(turned)), strict=True))

        answers = at_once(self.many, send)
        self.assertTrue(all(answer == answers[0] for answer in answers))
        self.assertEqual((base.count(), base.tasks()), (20, 20))
        self.assertEqual(self.published(), dict.fromkeys(answers[0].values(), 1))

    def test_lists_that_overlap_with_new_and_known_ones_all_come_through(self):
        known = [new_id() for _ in range(10)]
        self.send(self.messages(known))
        Message.objects.update(state=State.DEAD)
        new = [new_id() for _ in range(10)]

        def send(number):
            mixed = [one for pair in zip(known, new, strict=True) for one in pair]
            return len(self.send(self.messages(mixed[number:] + mixed[:number])))

        self.assertEqual(at_once(self.many, send), [20] * self.many)
        self.assertEqual((base.count(), base.tasks()), (20, 20))
        self.assertEqual(base.count(state=State.DELIVERING), 10)

    def test_asked_again_while_they_are_recorded_in_another_order_nobody_is_locked_out(self):
        ids = [new_id() for _ in range(10)]
        given = self.messages(ids)
        self.send(given)
        pks = list(Message.objects.order_by("pk").values_list("pk", flat=True))

        def act(number):
            for turn in range(8):
                if number:
                    self.send(given[turn % 10 :] + given[: turn % 10])
                    continue
                with transaction.atomic():
                    for pk in reversed(pks):
                        Message.objects.filter(pk=pk).update(last_error=f"{turn}")

        with mock.patch.object(bell, "publish"):
            at_once(2, act)
        self.assertEqual({row.last_error for row in Message.objects.all()}, {"7"})

    def test_asked_again_while_somebody_holds_one_the_others_do_not_wait_and_it_follows(
        self,
    ):
        ids = [new_id() for _ in range(2)]
        self.send(self.messages(ids))
        url = f"{base.HOOK}?2"
        moved = [given | {"webhook_url": url} for given in self.messages(ids)]
        held = threading.Event()

        def ask(number):
            held.wait(10)
            return len(self.send(moved))

        def hold(number):
            with transaction.atomic():
                Message.objects.filter(message_id=ids[0]).update(last_error="held")
                held.set()
                # SQLite has one lock for all.
                while connection.vendor == "postgresql" and not base.count(webhook_url=url):
                    time.sleep(0.01)

        at_once(2, lambda number: (hold, ask)[number](number))
        found = {(row.webhook_url, row.last_error) for row in Message.objects.all()}
        self.assertEqual(found, {(url, "held"), (url, "")})

    def test_two_bodies_of_one_id_at_once_leave_one_and_refuse_the_other(self):
        known = uuid.uuid4()

        def send(number):
            try:
                return self.send([body(message_id=known, address=f"Street {number}")])
            except acceptance.KeyReused:
                return None

        answers = at_once(self.many, send)
        self.assertEqual(answers.count(None), self.many - 1)
        self.assertEqual((base.count(), base.tasks()), (1, 1))

    def test_the_first_messages_of_a_host_at_once_make_one_host(self):
        def send(number):
            return self.send([body(webhook_url="https://shop.example/hook")])

        at_once(self.many, send)
        self.assertEqual((Host.objects.count(), base.count()), (1, self.many))

    def test_asked_again_while_it_is_deleted_nothing_breaks(self):
        message = base.finished()
        Message.objects.update(state=State.DEAD)

        def act(number):
            if number:
                return len(self.send(self.messages([str(message.message_id)])))
            return services.delete_task(task=TaskResult.objects.get())

        found = at_once(2, act)
        self.assertEqual(found[1], 1)
        self.assertEqual(base.count(), base.tasks())


class ResultTests(ContentionTestCase):
    def test_of_many_results_at_once_the_first_stands_and_one_delivery_follows(self):
        message = base.accept()

        def store(number):
            text = json.dumps(f"result {number}")
            return results.store(message.task.task_id, status="SUCCESS", result=text)

        stored = at_once(self.many, store)
        self.assertEqual(stored.count(True), 1)
        message.task.refresh_from_db()
        message.refresh_from_db()
        self.assertEqual(json.loads(message.task.result), f"result {stored.index(True)}")
        self.assertEqual((message.state, message.claims), (State.DELIVERING, 1))

    def test_two_sweeps_at_once_publish_each_task_once(self):
        for _ in range(30):
            base.accept()
        base.due_in(Message.objects.all(), 0)

        def sweep(number):
            while processing.publish_batch():
                pass

        with mock.patch.object(processing, "SWEEP_BATCH", 5):
            at_once(self.many, sweep)
        found = Counter(message.headers["id"] for message in base.published())
        self.assertEqual(
            found, dict.fromkeys(TaskResult.objects.values_list("task_id", flat=True), 1)
        )

    def test_two_prunes_at_once_delete_each_row_once(self):
        for _ in range(20):
            base.finished()
        Message.objects.update(state=State.DELIVERED, created_at="2020-01-01T00:00:00Z")
        kind = "messages with their results"
        deleted = at_once(2, lambda number: pruning.prune_batch()[kind])
        self.assertLessEqual(sum(deleted), 20)
        pruning.prune_batch()
        self.assertEqual((base.count(), base.tasks()), (0, 0))

    def test_a_host_pruned_while_its_next_message_is_stored_costs_neither(self):
        def act(number):
            if number:
                return pruning.prune_batch()["hosts without messages"]
            return base.accept(webhook_url="https://shop.example/hook").host_id

        for _ in range(10):
            Message.objects.all().delete()
            at_once(2, act)
            self.assertEqual(Message.objects.get().host.name, "https://shop.example:443")


class DeliveryTests(ContentionTestCase):
    """Processes that drain at once: here threads, each with posts of its own on their way."""

    def drain(self, number):
        sends = delivery.Sends()
        sends.step()
        while sends.open:
            sends.step()
        return sends.ended

    def test_every_result_is_posted_exactly_once(self):
        for number in range(40):
            base.finished(webhook_url=f"{base.HOOK}?{number}")
        hook = base.webhook_answers(self, 200)
        while base.count(state=State.DELIVERING):
            at_once(self.many, self.drain)
        self.assertEqual(sorted(hook.posted), sorted({f"{base.HOOK}?{n}" for n in range(40)}))

    def test_of_processes_that_look_at_once_one_probes(self):
        base.finished(), base.finished()
        Host.objects.update(failures=5, open_until=SecondsFromNow(0.0))
        hook = base.webhook_answers(self, 503)
        at_once(self.many, self.drain)
        self.assertEqual(len(hook.calls), 1)
        self.assertEqual(Host.objects.get().failures, 6)

    def test_failures_that_several_processes_note_at_once_open_the_breaker_once(self):
        base.finished()
        seen = Host.objects.get()
        noted = at_once(self.many, lambda number: hosts.note(seen, [False, False]))
        host = Host.objects.get()
        self.assertEqual((len(noted), host.failures), (self.many, 5))
        self.assertLess(base.seconds_until(host, "open_until"), 2.1)

    def test_who_asks_again_and_who_records_all_come_through_in_the_end(self):
        """They lock the same rows in other orders: the database may end one, which tries again."""
        rows = [base.finished(message_id=new_id()) for _ in range(20)]
        given = [body(message_id=row.message_id) for row in rows][::-1]
        base.webhook_answers(self, 500)
        sends = delivery.Sends()
        sends._begin()
        under_way = len(sends.open)

        def act(number):
            if number:
                return len(acceptance.accept_messages(messages=given))
            while sends.open:
                sends.step()
            return sends.ended

        def tried_again(number):
            try:
                return act(number)
            except OperationalError:
                return act(number)

        found = at_once(3, tried_again)
        self.assertEqual(found[1:], [20, 20])
        self.assertGreaterEqual(found[0], under_way)
        self.assertEqual(DeliveryAttempt.objects.count(), found[0])
