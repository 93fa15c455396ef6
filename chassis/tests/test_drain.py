"""How a drain goes on and ends; what it claims and records is tested on each service's rows."""

from threading import Event
from unittest import TestCase
from unittest.mock import Mock, patch

from chassis import outbox


class DrainTests(TestCase):
    def setUp(self):
        self.now = 0.0
        self.enterContext(patch("chassis.outbox.time.monotonic", lambda: self.now))
        self.stopping = self.enterContext(patch("chassis.outbox.stopping", Mock(spec=Event())))
        self.stopping.is_set.return_value = False
        self.ring = Mock()

    def drain(self, *found):
        """What it returns when its steps find so many rows."""
        self.step = Mock(side_effect=found)
        return outbox.drain(self.step, full=50, ring=self.ring)

    def test_it_goes_on_until_a_step_finds_nothing_twice(self):
        self.assertEqual(self.drain(50, 20, 0, 0), 70)
        self.assertFalse(self.ring.called)

    def test_having_found_work_it_looks_again_a_moment_later(self):
        self.assertEqual(self.drain(1, 0, 1, 0, 0), 2)
        self.assertEqual(self.stopping.wait.call_count, 2)
        self.stopping.wait.assert_called_with(outbox.LOOK_AGAIN)

    def test_while_several_come_at_once_the_next_ones_may_gather(self):
        self.drain(3, 1, 50, 0, 0)
        waits = [call.args[0] for call in self.stopping.wait.call_args_list]
        self.assertEqual(waits, [outbox.GATHER, outbox.LOOK_AGAIN])

    def test_with_nothing_to_do_it_ends_at_once(self):
        self.assertEqual(self.drain(0), 0)
        self.assertFalse(self.stopping.wait.called)

    def test_a_step_that_can_not_go_on_ends_it(self):
        self.assertEqual(self.drain(50, None), 50)
        self.assertEqual(self.drain(None), 0)
        self.assertFalse(self.ring.called)

    def test_after_5_s_it_ends_and_rings_for_whoever_goes_on(self):
        def step():
            self.now += 2
            return 10

        self.assertEqual(outbox.drain(step, full=50, ring=self.ring), 30)
        self.ring.assert_called_once_with()

    def test_while_nobody_would_hear_the_ring_it_goes_on(self):
        self.ring.side_effect = [False, False, True]

        def step():
            self.now += 2
            return 10

        self.assertEqual(outbox.drain(step, full=50, ring=self.ring), 50)

    def test_at_shutdown_it_ends(self):
        self.stopping.is_set.side_effect = [False, True]
        self.assertEqual(self.drain(50), 50)
        self.stopping.is_set.side_effect = [True]
        self.assertEqual(self.drain(), 0)


class SpreadTests(TestCase):
    def test_a_wait_is_up_to_a_fifth_shorter_or_longer(self):
        waits = [outbox.spread(100) for _ in range(500)]
        self.assertTrue(all(80 <= wait <= 120 for wait in waits))
        self.assertGreater(max(waits) - min(waits), 20)
