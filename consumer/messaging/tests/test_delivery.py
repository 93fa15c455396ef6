"""The drain of results: what is claimed, posted and recorded, and what may go wrong between."""

from dataclasses import replace
from unittest import mock

from django.db import (
    IntegrityError,
    InterfaceError,
    OperationalError,
    close_old_connections,
    connection,
)
from django.test import TestCase, TransactionTestCase, override_settings
from django_celery_results.models import TaskResult

from chassis import outbox
from chassis.sql import Prepared
from chassis.worker import stopping
from messaging import delivery, services
from messaging.models import Message, State
from messaging.tasks import deliver_results
from messaging.tests import base
from messaging.tests.base import accept, answer, finish, finished

DELIVERING = Prepared(lambda: Message.objects.delivering().only("pk"))


class DeliveryTestCase(TestCase):
    def setUp(self):
        base.fresh(self)

    def states(self, *messages):
        found = dict(Message.objects.values_list("pk", "state"))
        return [found[message.pk] for message in messages]


class DrainTests(DeliveryTestCase):
    def test_a_stored_result_is_posted_once(self):
        message, hook = finished(), base.webhook_answers(self, 200)
        self.assertEqual(delivery.deliver_due(), 1)
        self.assertEqual(delivery.deliver_due(), 0)
        self.assertEqual(hook.posted, [message.webhook_url])
        self.assertEqual(self.states(message), [State.DELIVERED])

    def test_with_nothing_due_nothing_is_posted(self):
        accept()
        base.due_in(finished(), 60)
        hook = base.webhook_answers(self)
        self.assertEqual((delivery.deliver_due(), hook.calls), (0, []))

    def test_all_that_is_due_is_posted_though_it_is_more_than_a_hosts_share(self):
        for number in range(30):
            finished(order_key=f"K{number}")
        hook = base.webhook_answers(self, 200)
        self.assertEqual(delivery.deliver_due(), 30)
        self.assertEqual((len(hook.calls), base.count(state=State.DELIVERED)), (30, 30))

    def test_the_next_ones_are_posted_while_those_before_them_are_recorded(self):
        for number in range(delivery.share() + 1):
            finished(order_key=f"K{number}")
        hook = base.webhook_answers(self, 200)
        sends = delivery.Sends()
        sends._begin()
        posted = []

        def record(*args):
            delivery.wait(sends.open)
            posted.append(len(hook.calls))

        with mock.patch.object(delivery, "record", record):
            sends._end(delivery.wait(sends.open).done)
        self.assertEqual(posted, [delivery.share() + 1])

    @override_settings(WEBHOOK_THREADS=2)
    def test_no_more_is_claimed_than_there_are_threads(self):
        for number in range(5):
            finished(webhook_url=f"https://shop{number}.example/")
        base.webhook_answers(self, 200)
        sends = delivery.Sends()
        sends._begin()
        self.assertEqual((len(sends.open), base.count(claims__gt=1)), (2, 2))

    def test_the_longest_due_go_first(self):
        rows = [finished(webhook_url=f"{base.HOOK}?{number}") for number in range(20)]
        for number, row in enumerate(rows):
            base.due_in(row, -number)
        claimed = delivery.Sends()._claim()
        self.assertCountEqual([send.message for send in claimed], rows[-len(claimed) :])

    def test_each_try_is_kept_with_its_time_its_length_and_what_came(self):
        message = finished()
        base.webhook_answers(self, 503, answer(None, error="connection refused"), 302, 200)
        for _ in range(4):
            Message.objects.update(state=State.DELIVERING)
            base.due_in(message, 0)
            base.deliver()
        found = [(a.status, a.error, a.ms) for a in base.attempts_of(message)]
        expected = [
            (503, "", 7),
            (None, "connection refused", 7),
            (302, "302 redirects are not followed", 7),
            (200, "", 7),
        ]
        self.assertEqual(found, expected)
        times = [a.at for a in base.attempts_of(message)]
        self.assertEqual(times, sorted(times))

    def test_each_try_is_logged_with_the_ids_of_its_message(self):
        message = finished(request_id="order-42")
        base.webhook_answers(self, 302)
        with self.assertLogs("messaging.delivery", "WARNING") as logged:
            base.deliver()
        (record,) = logged.records
        self.assertEqual(
            (record.request_id, record.state, record.status), ("order-42", "dead", 302)
        )
        self.assertEqual(record.message_id, str(message.message_id))
        self.assertEqual(record.task_id, message.task.task_id)

    def test_the_task_reports_how_many_sends_ended(self):
        finished(), finished()
        base.webhook_answers(self, 500)
        self.assertEqual(deliver_results(), 2)

    def test_a_drain_claims_with_one_lease_ahead(self):
        message = finished()
        delivery.Sends()._claim()
        self.assertAlmostEqual(base.seconds_until(message), outbox.LEASE, delta=5)


class OneBadRowTests(DeliveryTestCase):
    def test_a_row_that_can_not_be_sent_at_all_stops_no_other(self):
        bad, good = finished(webhook_url=base.HOOK + "?bad"), finished()

        def reply(url):
            if url.endswith("bad"):
                raise RuntimeError("broken")
            return answer(200)

        self.enterContext(mock.patch.object(delivery.http, "post", base.Hook(reply)))
        with self.assertLogs("messaging.delivery", "ERROR"):
            base.deliver()
        self.assertEqual(self.states(bad, good), [State.DELIVERING, State.DELIVERED])
        bad.refresh_from_db()
        self.assertEqual(bad.last_error, "RuntimeError: broken")

    def test_a_row_deleted_between_claim_and_post_stops_no_other(self):
        gone, good = finished(), finished()
        hook = base.webhook_answers(self, 200)
        found = TaskResult.objects.in_bulk([good.task_id])
        with mock.patch.object(delivery.sql, "by_keys", return_value=found):
            base.deliver()
        self.assertEqual(len(hook.calls), 1)
        self.assertEqual(self.states(gone, good), [State.DELIVERING, State.DELIVERED])

    def test_a_row_deleted_while_it_is_posted_stops_no_other(self):
        gone, good = finished(), finished()
        base.webhook_answers(self, 200)
        delivery.sends()._begin()
        gone.task.delete()
        base.deliver()
        self.assertEqual(self.states(good), [State.DELIVERED])


class FenceTests(DeliveryTestCase):
    """Somebody else has the row by the time its answer comes."""

    def under_way(self, reply, **changes):
        message = finished(**changes)
        base.webhook_answers(self, reply)
        delivery.sends()._begin()
        return message

    def columns(self, message):
        return Message.objects.values("state", "due_at", "claims", "attempts", "last_error").get(
            pk=message.pk
        )

    def test_an_answer_that_comes_after_a_redelivery_changes_nothing(self):
        message = self.under_way(404, webhook_api_key=base.KEY)
        services.redeliver(messages=Message.objects.all(), over_seconds=0)
        base.due_in(message, 60)
        before = self.columns(message)
        base.deliver()
        message.refresh_from_db()
        self.assertEqual(self.columns(message), before)
        self.assertEqual(message.webhook_api_key, base.KEY)

    def test_an_answer_that_comes_after_the_lease_changes_nothing(self):
        message = self.under_way(500)
        base.due_in(message, 0)
        outbox.claim(DELIVERING, 1)
        before = self.columns(message)
        base.deliver()
        self.assertEqual(self.columns(message), before)

    def test_that_it_was_tried_is_kept_all_the_same(self):
        message = self.under_way(500)
        services.redeliver(messages=Message.objects.all())
        base.due_in(message, 60)
        base.deliver()
        self.assertEqual([a.status for a in base.attempts_of(message)], [500])

    def test_who_asks_again_in_mid_flight_is_answered_by_the_try_under_way(self):
        message = self.under_way(204, webhook_api_key="first.key")
        accept(message_id=message.message_id, webhook_api_key="second.key")
        base.deliver()
        message.refresh_from_db()
        self.assertEqual((message.state, message.webhook_api_key), (State.DELIVERED, ""))

    def test_where_that_one_fails_the_next_uses_what_was_sent_last(self):
        message = self.under_way(401, webhook_api_key="first.key")
        url = base.HOOK + "?second"
        accept(message_id=message.message_id, webhook_api_key="second.key", webhook_url=url)
        base.deliver()
        hook = base.webhook_answers(self, 200)
        base.due_in(message, 0)
        base.deliver()
        self.assertEqual(
            (hook.posted, hook.headers["Authorization"]), ([url], "Api-Key second.key")
        )

    def test_a_second_sender_finds_nothing_while_the_first_is_posting(self):
        self.under_way(200)
        self.assertEqual(delivery.Sends()._claim(), [])


class DatabaseAwayTests(DeliveryTestCase):
    def test_what_could_not_be_recorded_is_recorded_by_the_next_drain_and_not_posted_again(self):
        message, hook = finished(), base.webhook_answers(self, 200)
        failing = mock.patch.object(delivery, "record", side_effect=OperationalError("away"))
        with failing, self.assertRaises(OperationalError):
            base.deliver()
        self.assertEqual(self.states(message), [State.DELIVERING])
        base.deliver()
        self.assertEqual((self.states(message), len(hook.calls)), ([State.DELIVERED], 1))
        self.assertEqual(len(base.attempts_of(message)), 1)

    def test_where_the_lease_has_run_out_by_then_nothing_is_recorded(self):
        message = finished()
        base.webhook_answers(self, 200)
        failing = mock.patch.object(delivery, "record", side_effect=OperationalError("away"))
        with failing, self.assertRaises(OperationalError):
            base.deliver()
        base.due_in(message, 0)
        outbox.claim(DELIVERING, 1)
        base.deliver()
        self.assertEqual(self.states(message), [State.DELIVERING])

    def test_what_can_never_be_recorded_does_not_stop_the_next_drain(self):
        finished()
        base.webhook_answers(self, 200)
        failing = mock.patch.object(delivery, "record", side_effect=IntegrityError("broken"))
        with failing, self.assertRaises(IntegrityError):
            base.deliver()
        self.assertEqual(delivery.sends().open, {})
        message = finished()
        base.deliver()
        self.assertEqual(self.states(message), [State.DELIVERED])

    def test_a_failure_to_note_the_host_repeats_no_record(self):
        message, hook = finished(), base.webhook_answers(self, 500)
        failing = mock.patch.object(delivery.hosts, "note", side_effect=OperationalError("away"))
        with failing, self.assertRaises(OperationalError):
            base.deliver()
        base.deliver()
        self.assertEqual((len(hook.calls), len(base.attempts_of(message))), (1, 1))


class ShutdownTests(DeliveryTestCase):
    def test_a_drain_that_is_stopped_leaves_open_sends_to_their_leases(self):
        message = finished()

        def reply(url):
            stopping.set()
            return answer(200)

        with mock.patch.object(delivery.http, "post", base.Hook(reply)):
            self.assertEqual(delivery.deliver_due(), 0)
        self.assertEqual(self.states(message), [State.DELIVERING])
        self.assertGreater(base.seconds_until(message), 20)
        self.assertEqual(base.attempts_of(message), [])

    def test_a_process_that_is_stopping_begins_nothing(self):
        message, hook = finished(), base.webhook_answers(self)
        stopping.set()
        self.assertEqual((delivery.deliver_due(), hook.calls), (0, []))
        message.refresh_from_db()
        self.assertEqual(message.attempts, 0)


class RingTests(DeliveryTestCase):
    def test_a_stored_result_rings_after_the_commit(self):
        message = accept()
        with self.captureOnCommitCallbacks() as callbacks:
            finish(message)
        self.assertEqual(callbacks, [services.delivery_bell.ring])

    def rings(self, message):
        with self.captureOnCommitCallbacks() as callbacks:
            finish(message)
        return len(callbacks)

    def test_nobody_rings_again_while_a_result_for_the_same_host_is_due(self):
        first, second, third, fourth = (accept() for _ in range(4))
        stranger = accept(webhook_url="https://example.com/hook")
        self.assertEqual(self.rings(first), 1)
        # SQLite does not tell how a row was before: everybody rings.
        self.assertEqual(self.rings(second), 0 if connection.vendor == "postgresql" else 1)
        self.assertEqual(self.rings(stranger), 1)
        outbox.claim(DELIVERING, 10)
        self.assertEqual(self.rings(third), 1)
        base.due_in(Message.objects.delivering(), 5)
        self.assertEqual(self.rings(fourth), 1)

    def test_taking_up_a_delivery_rings_after_the_commit(self):
        message = finished()
        Message.objects.update(state=State.DEAD)
        with self.captureOnCommitCallbacks() as callbacks:
            accept(message_id=message.message_id)
        self.assertIn(services.delivery_bell.ring, callbacks)


class CommitTests(TransactionTestCase):
    """Without the transaction of a test around them, which would undo what is left behind."""

    def setUp(self):
        base.fresh(self)

    def test_outcome_and_attempt_are_recorded_together_or_not_at_all(self):
        message = finished()
        impossible = base.Hook(lambda url: replace(answer(200), ms=-1))
        posting = mock.patch.object(delivery.http, "post", impossible)
        with posting, self.assertRaises(IntegrityError):
            base.deliver()
        message.refresh_from_db()
        self.assertEqual(message.state, State.DELIVERING)

    def test_a_connection_lost_while_results_are_posted_loses_none_of_their_answers(self):
        message = finished()
        hook = base.webhook_answers(self, 200)
        delivery.sends()._begin()
        if connection.vendor == "postgresql":
            connection.connection.close()
            with self.assertRaises(InterfaceError):
                base.deliver()
        close_old_connections()  # as before each task
        base.deliver()
        message.refresh_from_db()
        self.assertEqual((message.state, len(hook.calls)), (State.DELIVERED, 1))
