"""The breaker: a host that fails holds up its own rows only, and all of them come back with it."""

from concurrent.futures import Future
from unittest import mock

from django.test import TestCase, override_settings

from chassis import sql
from messaging import delivery, hosts
from messaging.models import Host, Message, State
from messaging.tests import base
from messaging.tests.base import answer, finished

ANSWERS, FAILS, LATER = True, False, None


class HostTestCase(TestCase):
    def setUp(self):
        base.fresh(self)

    def row(self, url=base.HOOK, **columns):
        message = finished(webhook_url=url)
        Message.objects.filter(pk=message.pk).update(**columns)
        return message

    def host(self):
        return Host.objects.get()

    def open_for(self):
        """For how many more seconds the only host is left alone."""
        return base.seconds_until(self.host(), "open_until")

    def probe_is_due(self):
        Host.objects.update(open_until=hosts.SecondsFromNow(0.0))


class CountingTests(HostTestCase):
    def setUp(self):
        super().setUp()
        self.message = self.row()

    def note(self, *answers, probe=False):
        hosts.note(self.host(), answers, is_probe=probe)
        return self.host()

    def test_it_opens_at_the_fifth_failure_in_a_row(self):
        for failures in range(1, 5):
            host = self.note(FAILS)
            self.assertEqual((host.failures, host.open_until), (failures, None))
        self.assertEqual(self.note(FAILS).failures, 5)
        self.assertAlmostEqual(self.open_for(), 2, delta=1.9)

    def test_a_success_between_them_starts_the_count_anew(self):
        for _ in range(4):
            self.note(FAILS)
        host = self.note(ANSWERS)
        self.assertEqual((host.failures, host.failing_since), (0, None))
        for _ in range(4):
            host = self.note(FAILS)
        self.assertIsNone(host.open_until)

    def test_however_many_fail_at_once_the_first_probe_comes_after_2_seconds(self):
        self.assertEqual(self.note(*[FAILS] * 32).failures, 5)
        self.assertLess(self.open_for(), 2.1)

    def test_senders_that_began_when_it_was_closed_count_together(self):
        seen = [self.host() for _ in range(5)]  # each read it before any of them failed
        for host in seen:
            hosts.note(host, [FAILS])
        self.assertIsNotNone(self.host().open_until)

    def test_late_failures_neither_count_nor_keep_it_open_longer(self):
        before = self.note(*[FAILS] * 5)
        after = self.note(*[FAILS] * 7)
        self.assertEqual((after.failures, after.open_until), (5, before.open_until))

    def test_failed_probes_come_after_2_4_8_and_then_15_seconds(self):
        self.note(*[FAILS] * 5)
        for seconds in (4, 8, 15, 15, 15):
            self.note(FAILS, probe=True)
            self.assertAlmostEqual(self.open_for(), seconds, delta=1.9)

    def test_a_probe_that_is_told_to_come_later_leaves_it_open_for_the_next_time(self):
        self.note(*[FAILS] * 5)
        self.assertEqual(self.note(LATER, probe=True).failures, 6)
        self.assertAlmostEqual(self.open_for(), 4, delta=1.9)

    def test_a_successful_probe_closes_it(self):
        self.note(*[FAILS] * 5)
        host = self.note(ANSWERS, probe=True)
        self.assertEqual((host.failures, host.open_until, host.failing_since), (0, None, None))

    def test_any_success_closes_it_a_late_one_too(self):
        self.note(*[FAILS] * 5)
        self.assertIsNone(self.note(ANSWERS).open_until)

    def test_a_failing_probe_that_comes_after_a_success_does_not_open_it_again(self):
        self.note(*[FAILS] * 5)
        stale = self.host()
        self.note(ANSWERS)
        hosts.note(stale, [FAILS], is_probe=True)
        self.assertEqual((self.host().failures, self.host().open_until), (0, None))

    def test_what_a_row_alone_is_told_does_not_count(self):
        for _ in range(10):
            host = self.note(LATER)
        self.assertEqual((host.failures, host.open_until), (0, None))
        self.assertIsNotNone(host.failing_since)

    def test_which_answers_speak_of_the_host(self):
        for status in (200, 204, 301, 400, 404, 409, 410, 422):
            self.assertIs(delivery.webhook.host_works(answer(status)), ANSWERS, status)
        for status in (401, 500, 502, 503, 504, None):
            self.assertIs(delivery.webhook.host_works(answer(status)), FAILS, status)
        for status in (403, 408, 425, 429):
            self.assertIs(delivery.webhook.host_works(answer(status)), LATER, status)

    def test_a_success_of_a_host_that_does_not_fail_asks_the_database_nothing(self):
        host = self.host()
        with self.assertNumQueries(0):
            hosts.note(host, [ANSWERS, ANSWERS])


class WakingTests(HostTestCase):
    def setUp(self):
        super().setUp()
        self.failed = self.row(attempts=1)
        hosts.note(self.host(), [FAILS, FAILS])

    def works_again(self):
        hosts.note(self.host(), [ANSWERS])

    def test_the_first_success_wakes_the_hosts_waiting_rows_spread_over_a_moment(self):
        rows = [self.row(attempts=6) for _ in range(30)]
        base.due_in(Message.objects.all(), 3600)
        self.works_again()
        times = [base.seconds_until(row) for row in rows]
        self.assertLess(max(times), hosts.WAKE_SECONDS)
        self.assertGreater(max(times) - min(times), hosts.WAKE_SECONDS / 2)
        self.assertGreater(len({round(time, 1) for time in times}), 4)
        rows = Message.objects.exclude(pk=self.failed.pk)
        self.assertEqual({row.attempts for row in rows}, {5})  # the next one is the sixth again

    def test_rows_that_somebody_may_be_sending_are_left_alone(self):
        base.due_in(self.failed, 29)
        self.works_again()
        self.assertGreater(base.seconds_until(self.failed), 20)

    def test_rows_that_are_due_already_are_left_alone(self):
        base.due_in(self.failed, -60)
        self.works_again()
        self.assertLess(base.seconds_until(self.failed), -50)

    def test_a_row_that_was_told_to_come_less_often_keeps_its_time(self):
        Message.objects.update(last_error="429")
        base.due_in(self.failed, 3600)
        self.works_again()
        self.assertGreater(base.seconds_until(self.failed), 3000)

    def test_rows_that_redeliver_has_spread_keep_their_times(self):
        Message.objects.filter(pk=self.failed.pk).update(attempts=0)
        base.due_in(self.failed, 3600)
        self.works_again()
        self.assertGreater(base.seconds_until(self.failed), 3000)

    def test_rows_of_other_hosts_and_in_other_states_are_left_alone(self):
        other = self.row(url="https://shop.example/", attempts=1)
        dead = self.row(state=State.DEAD, attempts=1)
        processing = self.row(state=State.PROCESSING, attempts=1)
        base.due_in(Message.objects.all(), 3600)
        hosts.note(self.failed.host, [ANSWERS, FAILS])
        for row in (other, dead, processing):
            self.assertGreater(base.seconds_until(row), 3000)
        self.assertLess(base.seconds_until(self.failed), 3)

    def test_after_a_single_failure_a_success_wakes_nothing(self):
        """One row that always fails would else be tried at each success, and soon be given up."""
        self.works_again()
        base.due_in(self.failed, 3600)
        hosts.note(self.host(), [FAILS])
        self.works_again()
        self.assertGreater(base.seconds_until(self.failed), 3000)
        self.assertEqual((self.host().failures, self.host().failing_since), (0, None))

    def test_rows_that_fail_for_themselves_are_not_woken_by_each_success(self):
        self.works_again()
        for ahead, due_in in ((-60.0, 301), (-301.0, 1), (3600.0, 1)):
            with self.subTest(ahead):
                Host.objects.update(woken_at=hosts.SecondsFromNow(ahead))
                Message.objects.update(attempts=4)
                base.due_in(self.failed, 3600)
                hosts.note(self.host(), [FAILS, FAILS])
                self.works_again()
                self.assertAlmostEqual(base.seconds_until(self.failed), due_in, delta=2)

    def test_after_a_day_being_woken_costs_a_try(self):
        for age, left in ((-3600.0, 3), (-90000.0, 4)):
            Message.objects.update(attempts=4, delivering_since=hosts.SecondsFromNow(age))
            base.due_in(self.failed, 3600)
            Host.objects.update(woken_at=None)
            hosts.note(self.host(), [FAILS, FAILS])
            self.works_again()
            self.failed.refresh_from_db()
            self.assertEqual(self.failed.attempts, left)

    def test_a_second_success_wakes_nothing(self):
        self.works_again()
        base.due_in(self.failed, 3600)
        self.works_again()
        self.assertGreater(base.seconds_until(self.failed), 3000)


class WaitingTests(HostTestCase):
    def names(self):
        return {host.name for host in hosts.waiting()}

    def test_a_host_waits_while_one_of_its_rows_is_due(self):
        message = self.row()
        self.assertEqual(self.names(), {message.host.name})
        base.due_in(message, 5)
        self.assertEqual(self.names(), set())

    def test_a_host_without_a_row_to_deliver_does_not_wait(self):
        for state in (State.PROCESSING, State.DELIVERED, State.GONE, State.DEAD):
            self.row(state=state)
        self.assertEqual(self.names(), set())

    def test_a_host_left_alone_waits_once_its_probe_is_due(self):
        message = self.row()
        Host.objects.update(failures=5, open_until=hosts.SecondsFromNow(2.0))
        self.assertEqual(self.names(), set())
        self.probe_is_due()
        self.assertEqual(self.names(), {message.host.name})

    def test_a_host_left_alone_by_a_clock_that_was_an_hour_ahead_is_probed_at_once(self):
        message = self.row(due_at=hosts.SecondsFromNow(3600.0))
        Host.objects.update(failures=5, open_until=hosts.SecondsFromNow(3600.0))
        self.assertEqual(self.names(), {message.host.name})
        self.assertEqual([hosts.take_probe(self.host()), self.names()], [True, set()])

    def test_no_probe_is_taken_while_every_row_may_be_under_way(self):
        """It would be lost, and the host left alone for a whole lease more."""
        base.due_in(self.row(), 20)
        Host.objects.update(failures=5)
        self.probe_is_due()
        self.assertEqual(self.names(), set())

    def test_dead_hosts_push_out_none_that_works_nor_the_other_way_round(self):
        self.enterContext(mock.patch.object(hosts, "AT_ONCE", 3))
        self.enterContext(mock.patch.object(hosts, "WAITING", sql.Prepared(hosts._waiting)))
        for number in range(5):
            self.row(url=f"https://dead{number}.example/")
        Host.objects.update(failures=5, open_until=hosts.SecondsFromNow(-1.0))
        for number in range(5):
            self.row(url=f"https://fine{number}.example/")
        kinds = [host.open_until is not None for host in hosts.waiting()]
        self.assertEqual(kinds, [True] * 3 + [False] * 3)

    def test_hosts_come_in_random_turn(self):
        for number in range(6):
            self.row(url=f"https://shop{number}.example/")
        orders = {tuple(host.pk for host in hosts.waiting()) for _ in range(20)}
        self.assertGreater(len(orders), 3)

    def test_a_probe_is_taken_once_and_again_after_a_lease(self):
        self.row()
        Host.objects.update(failures=5)
        self.probe_is_due()
        seen = self.host()
        self.assertEqual([hosts.take_probe(seen), hosts.take_probe(seen)], [True, False])
        self.assertAlmostEqual(self.open_for(), hosts.LEASE, delta=3)
        self.probe_is_due()
        self.assertTrue(hosts.take_probe(seen))

    def test_what_another_process_took_while_a_statement_waited_is_left_to_it(self):
        """Its lease ends later than one from the statement's own time."""
        row = self.row(due_at=hosts.SecondsFromNow(hosts.LEASE + 1))
        Host.objects.update(failures=5, open_until=hosts.SecondsFromNow(hosts.LEASE + 1))
        self.assertFalse(hosts.take_probe(self.host()))
        self.assertEqual(list(hosts.rows_of(self.host().pk, probing=True)), [])
        base.due_in(row, hosts.LEASE + 60)
        self.assertEqual(list(hosts.rows_of(self.host().pk, probing=True)), [row])


class DrainTests(HostTestCase):
    """The breaker as the drain sees it."""

    def setUp(self):
        super().setUp()
        self.hook = base.webhook_answers(self, 503)

    def test_after_five_failures_nobody_calls_the_host(self):
        rows = [self.row() for _ in range(5)]
        base.deliver()
        self.assertEqual(len(self.hook.calls), 5)
        base.due_in(Message.objects.all(), 0)
        base.deliver()
        self.assertEqual(len(self.hook.calls), 5)
        self.assertEqual({row.attempts for row in Message.objects.all()}, {1})
        self.assertEqual(len(rows), base.count(state=State.DELIVERING))

    def test_the_least_tried_row_probes_alone_and_uncounted(self):
        for attempts in (4, 2, 7):
            self.row(url=f"{base.HOOK}?{attempts}", attempts=attempts, claims=attempts + 1)
        base.due_in(Message.objects.all(), 3600)
        Host.objects.update(failures=5)
        self.probe_is_due()
        base.deliver()
        self.assertEqual(self.hook.posted, [f"{base.HOOK}?2"])
        self.assertEqual(sorted(m.attempts for m in Message.objects.all()), [2, 4, 7])
        probed = Message.objects.get(attempts=2)
        self.assertAlmostEqual(base.seconds_until(probed), 4, delta=1.9)
        self.assertEqual((probed.state, probed.last_error), (State.DELIVERING, "503"))
        self.assertEqual(len(base.attempts_of(probed)), 1)

    def test_a_row_that_probed_in_vain_leaves_the_next_turn_to_another(self):
        """It may fail for itself, for ever, at a host that is well again."""
        for name in ("first", "second"):
            self.row(url=f"{base.HOOK}?{name}")
        base.due_in(Message.objects.all(), 3600)
        Host.objects.update(failures=5)
        for _ in range(2):
            base.due_in(Message.objects.all(), 3600)
            self.probe_is_due()
            base.deliver()
        self.assertEqual(sorted(self.hook.posted), [f"{base.HOOK}?first", f"{base.HOOK}?second"])

    def test_a_probe_that_fails_is_recorded_but_brings_no_row_nearer_to_its_end(self):
        message = self.row(attempts=11)
        for failures in range(5, 10):
            Host.objects.update(failures=failures)
            base.due_in(message, 0)
            self.probe_is_due()
            base.deliver()
        message.refresh_from_db()
        self.assertEqual((message.state, message.attempts), (State.DELIVERING, 11))
        self.assertEqual(len(base.attempts_of(message)), 5)

    def test_a_probe_of_a_row_older_than_7_days_ends_it(self):
        message = self.row(delivering_since="2020-01-01T00:00:00Z")
        Host.objects.update(failures=5)
        self.probe_is_due()
        base.deliver()
        message.refresh_from_db()
        self.assertEqual(message.state, State.DEAD)

    def test_a_probe_that_succeeds_brings_all_rows_back(self):
        rows = [self.row(attempts=3) for _ in range(6)]
        base.due_in(Message.objects.all(), 3600)
        Host.objects.update(failures=8, failing_since="2026-01-01T00:00:00Z")
        self.probe_is_due()
        base.webhook_answers(self, 200)
        base.deliver()
        self.assertEqual(base.count(state=State.DELIVERED), 1)
        base.due_in(Message.objects.filter(state=State.DELIVERING), 0)
        base.deliver()
        self.assertEqual(base.count(state=State.DELIVERED), len(rows))

    def test_one_host_left_alone_does_not_keep_another_waiting(self):
        self.row()
        Host.objects.update(failures=5, open_until=hosts.SecondsFromNow(10.0))
        other = self.row(url="https://shop.example/hook")
        base.deliver()
        self.assertEqual(self.hook.posted, [other.webhook_url])

    @override_settings(WEBHOOK_THREADS=8)
    def test_a_host_gets_its_share_of_the_threads_and_no_more(self):
        for number in range(5):
            self.row(url=f"{base.HOOK}?{number}")
        other = self.row(url="https://shop.example/hook")
        claimed = delivery.Sends()._claim()
        names = sorted(send.host.name for send in claimed)
        self.assertEqual(names, [base.PRODUCER] * 2 + [other.host.name])

    @override_settings(WEBHOOK_THREADS=8)
    def test_all_probes_together_get_one_share(self):
        for number in range(5):
            self.row(url=f"https://dead{number}.example/")
        Host.objects.update(failures=5, open_until=hosts.SecondsFromNow(-1.0))
        sends = delivery.Sends()
        claimed = sends._claim()
        self.assertEqual([send.is_probe for send in claimed], [True] * 2)
        sends.open = {Future(): send for send in claimed}
        self.assertEqual(sends._claim(), [])

    @override_settings(WEBHOOK_THREADS=3)
    def test_a_host_gets_a_thread_even_of_a_few(self):
        for number in range(4):
            self.row(url=f"https://shop{number}.example/")
        self.assertEqual(len(delivery.Sends()._claim()), 3)

    def test_however_many_hosts_there_are_each_gets_its_turn(self):
        base.webhook_answers(self, 200)
        for number in range(hosts.AT_ONCE + 15):
            self.row(url=f"https://shop{number}.example/")
        delivery.deliver_due()
        self.assertEqual(base.count(state=State.DELIVERED), hosts.AT_ONCE + 15)
