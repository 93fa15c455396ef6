"""Sending orders' messages to the consumer: batches, schedules, and what its answers mean."""

from unittest.mock import patch

from django.conf import settings
from django.db.models.functions import Now
from django.test import TestCase, TransactionTestCase

from chassis import logs
from chassis.http import Answer
from chassis.testing import at_once
from orders import dispatch, services, tasks
from orders.models import Order, OrderStatus, SendAttempt
from orders.tests.base import (
    ConsumerMixin,
    accepted,
    answer,
    cancel,
    confirm,
    make_order,
    make_user,
    refusal,
    set_order,
    task_of,
    unreached,
)

TOLERANCE = 3  # seconds that a busy machine may take between two looks at the clock


class DispatchCase(ConsumerMixin, TestCase):
    @classmethod
    def setUpTestData(cls):
        cls.user = make_user()

    def seconds_until_due(self, order):
        found = Order.objects.annotate(now=Now()).get(pk=order.pk)
        return (found.due_at - found.now).total_seconds()

    def assert_due_in(self, order, seconds):
        self.assertAlmostEqual(self.seconds_until_due(order), seconds, delta=TOLERANCE)

    def make_due(self, *orders):
        Order.objects.filter(pk__in=[order.pk for order in orders]).update(due_at=Now())

    def make_orders(self, count):
        return [make_order(self.user) for _ in range(count)]

    def fresh(self, order):
        return Order.objects.get(pk=order.pk)


class SendingTests(DispatchCase):
    def test_due_orders_go_in_one_list(self):
        orders = self.make_orders(3)
        self.assertEqual(tasks.dispatch_orders(), 3)
        self.assertEqual(len(self.consumer.lists), 1)
        sent = {message["message_id"] for message in self.consumer.messages}
        self.assertEqual(sent, {str(order.uuid) for order in orders})

    def test_a_message_goes_to_the_consumer_with_its_key_and_the_requests_id(self):
        with logs.carrying("order-42"):
            make_order(self.user)
        tasks.dispatch_orders()
        self.assertEqual(
            self.consumer.urls, [f"{settings.CONSUMER_URL}/api/v1/consumer/send-message/"]
        )
        (headers,) = self.consumer.headers
        self.assertEqual(headers["Authorization"], f"Api-Key {settings.CONSUMER_API_KEY}")
        self.assertEqual(headers["Content-Type"], "application/json")
        self.assertEqual(headers["X-Request-ID"], "order-42")
        self.assertEqual(self.consumer.messages[0]["request_id"], "order-42")

    def test_each_message_of_a_list_carries_the_id_of_its_own_request(self):
        with logs.carrying("order-42"):
            make_order(self.user)
        placed_by_hand = make_order(self.user)
        tasks.dispatch_orders()
        sent = {message["request_id"] for message in self.consumer.messages}
        self.assertEqual(sent, {"order-42", str(placed_by_hand.uuid)})
        self.assertEqual(self.consumer.headers[0]["X-Request-ID"], "")

    def test_each_order_is_logged_with_its_ids(self):
        order = make_order(self.user)
        with self.assertLogs("orders.dispatch", "INFO") as logged:
            tasks.dispatch_orders()
        (record,) = logged.records
        self.assertEqual((record.message, record.order), ("order sent", str(order.uuid)))
        self.assertEqual(record.request_id, str(order.uuid))
        self.assertEqual(record.task_id, self.fresh(order).task_id)

    def test_many_orders_go_in_batches_of_50(self):
        self.make_orders(120)
        self.assertEqual(tasks.dispatch_orders(), 120)
        self.assertEqual([len(messages) for messages in self.consumer.lists], [50, 50, 20])
        self.assertEqual(Order.objects.filter(task_id="").count(), 0)

    def test_with_nothing_due_nothing_is_sent(self):
        confirm(make_order(self.user)), cancel(make_order(self.user))
        set_order(make_order(self.user), due_at=None)
        self.assertEqual(tasks.dispatch_orders(), 0)
        self.assertEqual(self.consumer.lists, [])

    def test_the_message_is_the_snapshot_whatever_was_edited_since(self):
        order = make_order(self.user)
        services.edit_order(order=order, data={"address": "elsewhere"})
        tasks.dispatch_orders()
        (message,) = self.consumer.messages
        self.assertEqual({name: message[name] for name in order.message}, order.message)
        self.assertNotEqual(message["address"], "elsewhere")

    def test_an_attempt_says_when_how_long_and_what_came_of_it(self):
        order = make_order(self.user)
        tasks.dispatch_orders()
        attempt = SendAttempt.objects.get()
        self.assertEqual(
            (attempt.order, attempt.ms, attempt.status, attempt.error), (order, 3, 202, "")
        )
        self.assertLess(abs(self.seconds_until_due(order) - 20), TOLERANCE)
        self.assertIsNotNone(attempt.at.tzinfo)


class AcceptedTests(DispatchCase):
    def test_a_202_records_the_task_ids_and_never_touches_updated_at(self):
        orders = self.make_orders(3)
        tasks.dispatch_orders()
        for order in orders:
            found = self.fresh(order)
            self.assertEqual(found.task_id, task_of(order.message))
            self.assertEqual((found.updated_at, found.status), (order.updated_at, "pending"))

    def test_it_is_asked_again_after_20_s_then_twice_as_long_up_to_600_s(self):
        order, waits = make_order(self.user), []
        for _ in range(8):
            self.make_due(order)
            tasks.dispatch_orders()
            waits.append(round(self.seconds_until_due(order) / 10) * 10)
        self.assertEqual(waits, [20, 40, 80, 160, 320, 600, 600, 600])

    def test_another_task_begins_the_schedule_anew(self):
        order = make_order(self.user)
        for _ in range(3):
            self.make_due(order)
            tasks.dispatch_orders()
        self.consumer.reply = lambda messages: answer(202, [{"task_id": "made-anew"}])
        self.make_due(order)
        tasks.dispatch_orders()
        self.assert_due_in(order, 20)
        self.assertEqual((self.fresh(order).task_id, self.fresh(order).attempts), ("made-anew", 1))

    def test_a_success_clears_the_last_error(self):
        order = make_order(self.user)
        self.consumer.reply = lambda messages: unreached()
        tasks.dispatch_orders()
        self.assertEqual(self.fresh(order).last_error, "connection refused")
        self.consumer.reply = accepted
        self.make_due(order)
        tasks.dispatch_orders()
        self.assertEqual(self.fresh(order).last_error, "")
        self.assert_due_in(order, 20)

    def test_a_202_that_is_not_as_agreed_is_a_failure(self):
        for body in (
            b"",
            b"accepted",
            [{"task_id": None}],
            [{"task_id": ""}],
            [{"task_id": "a\x00"}],
            [{"task_id": "x" * 256}],
            [],
            {},
            [{}],
            [{"task_id": "a"}, {"task_id": "b"}],
            [1],
            None,
        ):
            with self.subTest(body):
                order = make_order(self.user)
                self.consumer.reply = lambda messages, body=body: answer(202, body)
                tasks.dispatch_orders()
                self.assertEqual(self.fresh(order).task_id, "")
                self.assert_due_in(order, 1)
                Order.objects.all().delete()


class FailureTests(DispatchCase):
    def test_a_failure_is_tried_again_after_1_2_5_10_20_then_every_30_s(self):
        order, waits = make_order(self.user), []
        self.consumer.reply = lambda messages: unreached()
        for _ in range(9):
            self.make_due(order)
            tasks.dispatch_orders()
            waits.append(self.seconds_until_due(order))
        for waited, expected in zip(waits, [1, 2, 5, 10, 20, 30, 30, 30, 30], strict=True):
            self.assertAlmostEqual(waited, expected, delta=1)

    def test_a_drain_ends_at_its_first_failure_and_what_it_has_not_claimed_stays_due(self):
        for failure in (unreached(), answer(500, b"oops"), answer(503, {}), answer(401, {}),
                        answer(404, {}), answer(429, {}), answer(301, b"")):  # fmt: skip
            with self.subTest(failure.status):
                self.consumer.lists.clear()
                self.make_orders(60)
                self.consumer.reply = lambda messages, failure=failure: failure
                self.assertEqual(tasks.dispatch_orders(), 0)
                self.assertEqual([len(messages) for messages in self.consumer.lists], [50])
                self.assertEqual(Order.objects.due().count(), 10)
                self.assertEqual(Order.objects.filter(attempts=1).count(), 50)
                Order.objects.all().delete()

    def test_the_reason_is_kept_for_the_admin(self):
        for failure, reason in (
            (unreached("timed out after 10 s"), "timed out after 10 s"),
            (answer(503, {"detail": "No database."}), "503 No database."),
            (answer(502, b"<html>"), "502"),
            (refusal(403, key="is not known"), "403 key: is not known"),
        ):
            with self.subTest(reason):
                order = make_order(self.user)
                self.consumer.reply = lambda messages, failure=failure: failure
                tasks.dispatch_orders()
                self.assertEqual(self.fresh(order).last_error, reason)
                attempt = SendAttempt.objects.get(order=order)
                self.assertEqual((attempt.status, attempt.error), (failure.status, reason))
                Order.objects.all().delete()

    def test_a_reason_of_any_length_and_kind_is_kept_as_far_as_it_fits(self):
        order = make_order(self.user)
        detail = "a\x00\n" + "x" * 70_000
        self.consumer.reply = lambda messages: answer(500, {"detail": detail})
        tasks.dispatch_orders()
        self.assertEqual(self.fresh(order).last_error, ("500 a " + "x" * 70_000)[:255])

    def test_no_failure_changes_the_orders_status(self):
        order = make_order(self.user)
        for failure in (unreached(), answer(500, {}), refusal(400, _0_status="no")):
            self.consumer.reply = lambda messages, failure=failure: failure
            self.make_due(order)
            tasks.dispatch_orders()
            found = self.fresh(order)
            self.assertEqual((found.status, found.updated_at), ("pending", order.updated_at))


class RefusalTests(DispatchCase):
    def test_a_refused_row_that_is_named_ends_alone_and_the_rest_is_sent(self):
        first, bad, last = self.make_orders(3)

        def reply(messages):
            ids = [message["message_id"] for message in messages]
            if str(bad.uuid) not in ids:
                return accepted(messages)
            errors = [{"field": f"{ids.index(str(bad.uuid))}.address", "message": "too odd"}]
            return answer(400, {"errors": errors})

        for status in dispatch.REFUSALS:
            with self.subTest(status):
                self.consumer.reply = lambda messages, s=status: Answer(
                    s if (a := reply(messages)).status == 400 else 202, a.body, {}, "", 1
                )
                services.send_again(orders=Order.objects.all())
                self.consumer.lists.clear()
                with self.assertLogs("orders.dispatch", "ERROR"):
                    tasks.dispatch_orders()
                self.assertEqual([len(messages) for messages in self.consumer.lists], [3, 2])
                self.assertIsNone(self.fresh(bad).due_at)
                self.assertEqual(self.fresh(bad).last_error, f"refused: {status} address: too odd")
                for order in (first, last):
                    self.assert_due_in(order, 20)
                    self.assertEqual(self.fresh(order).attempts, 1)  # the refusal was not its own

    def test_a_refused_order_stays_pending_and_is_not_sent_by_itself(self):
        order = make_order(self.user)
        self.consumer.reply = lambda messages: refusal(400, _0_currency="not ours")
        with self.assertLogs("orders.dispatch", "ERROR"):
            tasks.dispatch_orders()
        found = self.fresh(order)
        self.assertEqual((found.status, found.due_at), ("pending", None))
        self.assertEqual(tasks.dispatch_orders(), 0)
        self.assertEqual(len(self.consumer.lists), 1)

    def test_a_refused_list_that_names_nobody_is_sent_one_by_one(self):
        first, bad, last = self.make_orders(3)

        def reply(messages):
            wrong = str(bad.uuid) in [message["message_id"] for message in messages]
            return answer(413, {"detail": "Too large."}) if wrong else accepted(messages)

        self.consumer.reply = reply
        with self.assertLogs("orders.dispatch", "ERROR"):
            self.assertEqual(tasks.dispatch_orders(), 3)
        self.assertEqual([len(messages) for messages in self.consumer.lists], [3, 1, 1, 1])
        self.assertEqual(self.fresh(bad).last_error, "refused: 413 Too large.")
        self.assertIsNone(self.fresh(bad).due_at)
        for order in (first, last):
            self.assert_due_in(order, 20)
        self.assertEqual(SendAttempt.objects.count(), 6)

    def test_a_failure_while_they_are_sent_one_by_one_gives_back_the_rest(self):
        orders = self.make_orders(4)
        replies = iter([answer(400, {}), accepted, unreached()])

        def reply(messages):
            given = next(replies)
            return given(messages) if callable(given) else given

        self.consumer.reply = reply
        tasks.dispatch_orders()
        self.assertEqual([len(messages) for messages in self.consumer.lists], [4, 1, 1])
        attempts = sorted(self.fresh(order).attempts for order in orders)
        self.assertEqual(attempts, [0, 0, 1, 1])
        self.assertEqual(Order.objects.due().count(), 2)

    def test_one_by_one_ends_well_before_the_lease_does(self):
        self.make_orders(5)
        self.consumer.reply = lambda messages: (
            answer(400, {}) if len(messages) > 1 else accepted(messages)
        )
        clock = iter(range(0, 1000, 2))  # each look at the clock is 2 s later
        with patch("orders.dispatch.time.monotonic", lambda: next(clock)):
            dispatch.dispatch_batch()
        self.assertEqual([len(messages) for messages in self.consumer.lists], [5, 1, 1])
        self.assertEqual(Order.objects.due().count(), 3)

    def test_errors_that_name_no_row_that_was_sent_do_not_send_the_list_again_without_end(self):
        for field in ("7.address", "address", "", "²", "-1.x", "00000000009", None, ["0"]):
            with self.subTest(field):
                self.make_orders(2)
                self.consumer.lists.clear()
                problem = {"errors": [{"field": field, "message": "no"}, "nonsense"]}
                self.consumer.reply = lambda messages, problem=problem: answer(400, problem)
                with self.assertLogs("orders.dispatch", "ERROR"):
                    tasks.dispatch_orders()
                self.assertEqual([len(messages) for messages in self.consumer.lists], [2, 1, 1])
                self.assertEqual(Order.objects.filter(due_at=None).count(), 2)
                Order.objects.all().delete()

    def test_a_row_that_can_not_be_built_is_refused_alone(self):
        first, bad, last = self.make_orders(3)
        set_order(bad, message="no object")
        with self.assertLogs("orders.dispatch", "ERROR"):
            tasks.dispatch_orders()
        self.assertEqual([len(messages) for messages in self.consumer.lists], [2])
        self.assertIsNone(self.fresh(bad).due_at)
        self.assertIn("can't be built", self.fresh(bad).last_error)
        for order in (first, last):
            self.assert_due_in(order, 20)

    def test_a_batch_of_rows_that_can_not_be_built_keeps_nobody_waiting(self):
        bad, good = self.make_orders(2)
        set_order(bad, message=[])
        set_order(good, due_at=Now())
        with patch("orders.dispatch.BATCH", 1), self.assertLogs("orders.dispatch", "ERROR"):
            tasks.dispatch_orders()
        self.assert_due_in(good, 20)


class MeanwhileTests(DispatchCase):
    """What happens to an order while its message is on the way."""

    def during(self, happens):
        def reply(messages):
            happens()
            return accepted(messages)

        self.consumer.reply = reply

    def test_an_order_deleted_between_claim_and_record_harms_nobody(self):
        deleted, other = self.make_orders(2)
        self.during(lambda: services.delete_order(order=deleted))
        self.assertEqual(tasks.dispatch_orders(), 2)
        self.assert_due_in(other, 20)
        self.assertEqual(self.fresh(other).task_id, task_of(other.message))

    def test_an_order_deleted_before_the_claim_is_not_sent(self):
        deleted, other = self.make_orders(2)
        services.delete_order(order=deleted)
        tasks.dispatch_orders()
        self.assertEqual([m["message_id"] for m in self.consumer.messages], [str(other.uuid)])

    def test_who_records_late_changes_nothing(self):
        order = make_order(self.user)

        def claimed_again():
            self.make_due(order)
            dispatch.claim_orders()

        self.during(claimed_again)
        dispatch.dispatch_batch()
        found = self.fresh(order)
        self.assertEqual((found.task_id, found.claims, found.attempts), ("", 2, 2))
        self.assert_due_in(order, 30)  # the lease of the second claim

    def test_an_order_confirmed_on_the_way_stays_confirmed(self):
        order = make_order(self.user)
        task_id = task_of(order.message)
        record = {"order_id": order.pk, "task_id": task_id, "status": "confirmed", "result": "TND"}
        self.during(lambda: services.record_result(**record))
        tasks.dispatch_orders()
        self.assertEqual(
            (self.fresh(order).status, self.fresh(order).task_id), ("confirmed", task_id)
        )
        self.make_due(order)
        self.assertEqual(tasks.dispatch_orders(), 0)

    def test_an_order_cancelled_on_the_way_stays_cancelled_when_it_is_refused_too(self):
        order = make_order(self.user)
        self.consumer.reply = lambda messages: cancel(order) and refusal(400, _0_x="no")
        with self.assertLogs("orders.dispatch", "ERROR"):
            tasks.dispatch_orders()
        self.assertEqual(self.fresh(order).status, OrderStatus.CANCELLED)

    def test_a_sender_that_dies_is_followed_by_another_after_its_lease(self):
        order = make_order(self.user)
        self.consumer.reply = lambda messages: (_ for _ in ()).throw(SystemExit)
        with self.assertRaises(SystemExit):
            tasks.dispatch_orders()
        self.assertEqual(tasks.dispatch_orders(), 0)  # it is leased
        self.make_due(order)  # the lease has ended
        self.consumer.reply = accepted
        self.assertEqual(tasks.dispatch_orders(), 1)
        self.assertEqual(self.fresh(order).attempts, 1)


class DispatchRaceTests(ConsumerMixin, TransactionTestCase):
    def test_several_senders_send_each_order_once_while_others_are_placed_and_deleted(self):
        user = make_user()
        orders = [make_order(user) for _ in range(40)]

        def call(number):
            if number == 0:
                for order in orders[::4]:
                    services.delete_order(order=order)
            elif number == 1:
                for _ in range(10):
                    make_order(user)
            else:
                tasks.dispatch_orders()

        with patch("orders.dispatch.BATCH", 5):
            at_once(5, call)
            tasks.dispatch_orders()
        sent = [message["message_id"] for message in self.consumer.messages]
        self.assertEqual(len(sent), len(set(sent)))
        left = Order.objects.all()
        self.assertEqual(left.count(), 40)
        self.assertLessEqual({str(order.uuid) for order in left}, set(sent))
        for order in left:
            self.assertEqual((order.task_id, order.claims), (task_of(order.message), 1))


class SendAgainTests(DispatchCase):
    def test_pending_orders_are_due_at_once_and_begin_anew(self):
        order = set_order(make_order(self.user), due_at=None, attempts=7, last_error="refused")
        with self.captureOnCommitCallbacks() as rings:
            self.assertEqual(services.send_again(orders=Order.objects.all()), 1)
        self.assertEqual(len(rings), 1)
        found = self.fresh(order)
        self.assertEqual((found.attempts, found.last_error), (0, ""))
        self.assertIn(order, Order.objects.due())

    def test_orders_that_are_not_pending_are_left_alone(self):
        order = confirm(make_order(self.user))
        before = Order.objects.values().get(pk=order.pk)
        self.assertEqual(services.send_again(orders=Order.objects.all()), 0)
        self.assertEqual(Order.objects.values().get(pk=order.pk), before)

    def test_they_are_spread_over_the_time_given(self):
        orders = self.make_orders(40)
        services.send_again(orders=Order.objects.all(), over_seconds=100)
        waits = [self.seconds_until_due(order) for order in orders]
        self.assertTrue(all(-TOLERANCE <= wait <= 100 for wait in waits))
        self.assertGreater(max(waits) - min(waits), 20)

    def test_whoever_is_sending_it_now_records_nothing(self):
        order = make_order(self.user)

        def reply(messages):
            services.send_again(orders=Order.objects.all())
            return unreached()

        self.consumer.reply = reply
        dispatch.dispatch_batch()
        self.assertEqual(self.fresh(order).last_error, "")
        self.assertIn(order, Order.objects.due())
