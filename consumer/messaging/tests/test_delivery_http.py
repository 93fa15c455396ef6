"""Results posted to real servers on this machine, which answer as badly as a webhook can."""

import socket
import threading
import time
from unittest import mock

from django.test import TestCase

from chassis import connections, http, worker
from messaging import delivery, hosts
from messaging.models import State
from messaging.tests import base
from messaging.tests.base import finished

LIMIT = 0.3  # seconds that a call gets in these tests


def answers(status, content=b"", **headers):
    return lambda handler: handler.answer(status, content, **headers)


def drops(handler):
    handler.close_connection = True
    handler.connection.shutdown(socket.SHUT_RDWR)


def hangs(handler):
    handler.server.closing.wait()
    drops(handler)


def trickles(handler):
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    while not handler.server.closing.wait(0.02):
        handler.wfile.write(b"X-Y: z\r\n")


def stops_in_mid_answer(handler):
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nno")
    drops(handler)


def talks_without_end(handler):
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
    while not handler.server.closing.is_set():
        handler.wfile.write(b"x" * 65536)


def says_something_else(handler):
    handler.wfile.write(b"SSH-2.0-OpenSSH_9.2\r\n\x00\xff\r\n\r\n")
    drops(handler)


class RealServerTestCase(TestCase):
    def setUp(self):
        base.fresh(self)

    def peer(self, script):
        peer = base.peer(self, script)
        self.origins = [*getattr(self, "origins", ()), peer.origin]
        base.allow(self, *self.origins)
        return peer


class AnswersTests(RealServerTestCase):
    def setUp(self):
        super().setUp()
        base.short_limits(self, LIMIT)

    def delivered_to(self, script):
        peer = self.peer(script)
        message = finished(webhook_url=peer.origin + "/hook", webhook_api_key=base.KEY)
        base.deliver()
        message.refresh_from_db()
        return peer, message

    def assert_tried_again(self, script, error, status=None):
        _, message = self.delivered_to(script)
        self.assertEqual((message.state, message.attempts), (State.DELIVERING, 1))
        self.assertEqual(message.last_error, error)
        (attempt,) = base.attempts_of(message)
        self.assertEqual(attempt.status, status)
        return message

    def test_a_webhook_that_takes_it_is_called_once_with_all_headers(self):
        peer, message = self.delivered_to(answers(200, b'{"status": "confirmed"}'))
        self.assertEqual(message.state, State.DELIVERED)
        ((path, headers, sent),) = peer.received
        self.assertEqual(path, "/hook")
        self.assertIn(message.task.task_id.encode(), sent)
        self.assertEqual(headers["Authorization"], f"Api-Key {base.KEY}")
        self.assertEqual(headers["webhook-id"], str(message.message_id))
        self.assertTrue(headers["webhook-signature"].startswith("v1,"))

    def test_a_server_error_is_tried_again(self):
        self.assert_tried_again(answers(500, b"<h1>oops</h1>"), "500", 500)

    def test_a_server_that_hangs_is_tried_again(self):
        self.assert_tried_again(hangs, "timed out after 0.3 s")

    def test_headers_that_trickle_hold_nobody_up(self):
        self.assert_tried_again(trickles, "timed out after 0.3 s")

    def test_a_connection_dropped_is_tried_again(self):
        self.assert_tried_again(drops, "connection closed without an answer")

    def test_an_answer_that_breaks_off_is_tried_again(self):
        self.assert_tried_again(stops_in_mid_answer, "connection closed in mid-answer")

    def test_what_is_no_http_is_tried_again(self):
        message = self.assert_tried_again(says_something_else, mock.ANY)
        self.assertTrue(message.last_error.startswith("not an HTTP answer"), message.last_error)

    def test_a_port_that_nobody_listens_on_is_tried_again(self):
        with socket.create_server(("127.0.0.1", 0)) as closing:
            origin = f"http://127.0.0.1:{closing.getsockname()[1]}"
        base.allow(self, origin)
        message = finished(webhook_url=origin)
        base.deliver()
        message.refresh_from_db()
        self.assertEqual(
            (message.state, message.last_error), (State.DELIVERING, "connection refused")
        )

    def test_429_is_tried_again_when_it_says(self):
        message = self.assert_tried_again(answers(429, Retry_After="120"), "429", 429)
        self.assertAlmostEqual(base.seconds_until(message), 120, delta=5)

    def test_a_redirect_is_not_followed_and_ends_it(self):
        elsewhere = self.peer(answers(200))
        for status in (301, 302, 307, 308):
            with self.subTest(status):
                _, message = self.delivered_to(answers(status, Location=elsewhere.origin + "/hook"))
                self.assertEqual(message.state, State.DEAD)
        self.assertEqual(elsewhere.received, [])

    def test_404_and_410_end_it_as_gone(self):
        for status in (404, 410):
            with self.subTest(status):
                self.assertEqual(self.delivered_to(answers(status))[1].state, State.GONE)

    def test_413_ends_it_as_dead(self):
        self.assertEqual(self.delivered_to(answers(413))[1].state, State.DEAD)

    def test_a_body_without_end_is_not_read_to_its_end(self):
        self.assertEqual(self.delivered_to(talks_without_end)[1].state, State.DELIVERED)

    def test_a_name_that_turns_out_to_be_here_is_not_called_and_ends_it(self):
        peer = base.peer(self, answers(200))
        port = peer.server_address[1]
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]
        message = finished(webhook_url=f"http://rebound.example:{port}/hook")
        with mock.patch.object(connections, "resolve", return_value=found):
            base.deliver()
        message.refresh_from_db()
        self.assertEqual(message.state, State.DEAD)
        self.assertEqual(message.last_error, "address not allowed: 127.0.0.1")
        self.assertEqual(peer.received, [])


class HostsApartTests(RealServerTestCase):
    """Full time limits: what ends these tests is the order of things, never a clock."""

    def rows(self, peer, count):
        return [finished(webhook_url=f"{peer.origin}/{number}") for number in range(count)]

    def step_until(self, condition):
        deadline = time.monotonic() + 60
        while not condition():
            self.assertLess(time.monotonic(), deadline, "it did not come to pass")
            delivery.sends().step()

    def test_a_host_that_hangs_holds_up_no_other_and_only_its_share_of_threads(self):
        hanging, good = self.peer(hangs), self.peer(answers(200))
        self.rows(hanging, 2 * delivery.share())
        self.rows(good, 20)
        self.step_until(lambda: base.count(state=State.DELIVERED) == 20)
        self.assertEqual(
            {send.host.name for send in delivery.sends().open.values()}, {hanging.origin}
        )
        self.assertLessEqual(len(hanging.received), delivery.share())
        self.assertEqual(len(delivery.sends().open), delivery.share())
        hanging.closing.set()
        self.step_until(lambda: not delivery.sends().open)

    def test_a_host_that_is_dead_holds_up_no_other(self):
        dead, good = self.peer(drops), self.peer(answers(200))
        self.rows(dead, 3 * delivery.share())
        self.rows(good, 20)
        self.step_until(lambda: base.count(state=State.DELIVERED) == 20)
        # Its share, refilled until the fifth failure.
        self.assertLess(len(dead.received), delivery.share() + hosts.FAILURES)

    def test_a_thread_that_is_free_takes_the_next_row_while_others_wait(self):
        go_on = threading.Semaphore(0)

        def one_by_one(handler):
            go_on.acquire(timeout=20)
            handler.answer(200)

        peer = self.peer(one_by_one)
        share = delivery.share()
        self.rows(peer, share + 2)
        self.step_until(lambda: len(peer.received) == share)
        go_on.release()
        self.step_until(lambda: len(peer.received) == share + 1)
        self.assertEqual(base.count(state=State.DELIVERED), 1)
        go_on.release(share + 1)
        self.step_until(lambda: base.count(state=State.DELIVERED) == share + 2)


class CutTests(RealServerTestCase):
    def test_at_shutdown_open_calls_are_cut_and_left_to_their_leases(self):
        self.enterContext(mock.patch.dict(http._idle, clear=True))
        called = threading.Event()

        def script(handler):
            called.set()
            hangs(handler)

        message = finished(webhook_url=self.peer(script).origin)

        def stop():
            called.wait(20)
            worker.stop_draining()

        stopper = threading.Thread(target=stop)
        stopper.start()
        self.addCleanup(stopper.join)
        delivery.deliver_due()
        message.refresh_from_db()
        self.assertEqual((message.state, message.last_error), (State.DELIVERING, ""))
        self.assertGreater(base.seconds_until(message), 15)
        self.assertEqual(base.attempts_of(message), [])
