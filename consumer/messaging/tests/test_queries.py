"""How many queries the hot paths take; a number that grows is a step back."""

from django.db import connection
from django.test import TestCase, TransactionTestCase
from django_celery_results.models import TaskResult

from messaging import delivery, processing, results
from messaging.models import Message, State
from messaging.tests import base
from messaging.tests.base import PROCESS, SEND, TASKS, accept, body, finished, new_id

TRANSACTION = 2  # what begins and ends one
POSTGRESQL = connection.vendor == "postgresql"
DELIVERY = 5 if POSTGRESQL else 6 + TRANSACTION


class RequestTests(TestCase):
    def setUp(self):
        base.fresh(self)
        self.api = base.client()
        accept()  # so that the host is known, as it nearly always is

    def assert_queries(self, number, method, path, given=None, status=200):
        with self.assertNumQueries(number):
            response = getattr(self.api, method)(path, given)
        self.assertEqual(response.status_code, status, response.content)

    # The key, the transaction (2), the known ids, the hosts, the tasks, the messages.
    def test_one_message_takes_seven(self):
        self.assert_queries(7, "post", SEND, body(message_id=new_id()), 202)

    def test_fifty_messages_take_no_more(self):
        given = [body(message_id=new_id()) for _ in range(50)]
        self.assert_queries(7, "post", SEND, given, 202)

    def test_fifty_known_ones_take_nine(self):
        rows = [finished() for _ in range(50)]
        Message.objects.update(state=State.DEAD)
        given = [body(message_id=str(row.message_id)) for row in rows]
        self.assert_queries(9, "post", SEND, given, 202)

    def test_a_message_processed_at_once_takes_nine_or_twelve(self):
        count = 9 if POSTGRESQL else 12
        self.assert_queries(count, "post", PROCESS, body(message_id=new_id()))

    def test_a_task_by_hand_takes_three(self):
        # The key, whether it is known, the row; a savepoint each for the last (4).
        given = {"task_id": "by-hand", "status": "SUCCESS", "result": "x"}
        self.assert_queries(7, "post", TASKS, given, 201)

    def test_a_change_of_such_a_task_takes_four(self):
        TaskResult.objects.create(task_id="by-hand", status="STARTED")
        for method in ("put", "patch"):
            self.assert_queries(4, method, TASKS + "by-hand/", {"status": "SUCCESS", "result": "x"})

    def test_a_deletion_takes_eleven(self):
        message = finished()
        Message.objects.update(state=State.DELIVERED)
        self.assert_queries(11, "delete", f"{TASKS}{message.task.task_id}/", status=204)

    def test_sending_again_takes_six(self):
        # The key, the task with its attempts (2), the change, the task as it is now (2).
        message = finished()
        Message.objects.update(state=State.DEAD)
        self.assert_queries(6, "post", f"{TASKS}{message.task.task_id}/redeliver/", status=202)

    def test_a_span_of_time_takes_no_more(self):
        self.assert_queries(3, "get", TASKS + "?created_before=2999-01-01T00:00:00Z")

    def test_a_task_is_shown_with_three_and_a_page_of_them_too(self):
        message = finished()
        self.assert_queries(3, "get", f"{TASKS}{message.task.task_id}/")
        for _ in range(30):
            finished()
        self.assert_queries(3, "get", TASKS + "?page_size=30")


class WorkerTests(TransactionTestCase):
    """Without the transaction of a test around them, whose savepoints would count too."""

    def setUp(self):
        base.fresh(self)

    def test_a_result_is_stored_and_its_message_made_due_in_one_or_four(self):
        message = accept()
        with self.assertNumQueries(1 if POSTGRESQL else 2 + TRANSACTION):
            results.store(message.task.task_id, status="SUCCESS", result='"x"')

    def test_a_delivery_takes_five_or_eight_whether_of_one_or_of_many(self):
        """The hosts, a claim, the results; what is due next; outcomes and attempts."""
        base.webhook_answers(self, 200)
        for count in (1, 8):
            for _ in range(count):
                finished()
            sends = delivery.Sends()
            with self.subTest(count), self.assertNumQueries(DELIVERY):
                sends._begin()
                sends._end(delivery.wait(sends.open).done)
            self.assertEqual(base.count(state=State.DELIVERING), 0)

    def test_failures_take_two_more_for_their_host(self):
        base.webhook_answers(self, 503)
        for _ in range(4):
            finished()
        sends = delivery.Sends()
        with self.assertNumQueries(DELIVERY + 2):
            sends._begin()
            sends._end(delivery.wait(sends.open).done)

    def test_a_sweep_takes_three_whether_of_one_or_of_many(self):
        """A claim, the tasks, the record."""
        base.clear_queues()
        for count in (1, 20):
            for _ in range(count):
                accept()
            base.due_in(Message.objects.all(), 0)
            with self.subTest(count), self.assertNumQueries(3):
                processing.publish_batch()
        base.clear_queues()

    def test_a_look_that_finds_nothing_takes_one(self):
        with self.assertNumQueries(1):
            self.assertEqual(delivery.Sends().step(), 0)
        with self.assertNumQueries(1):
            self.assertEqual(processing.publish_batch(), 0)
