"""The parts of the admin's first page."""

from unittest import TestCase

from chassis.dashboard import Figure, duration, how_late, number, percentile


class DashboardTests(TestCase):
    def test_a_duration_has_two_units_at_most(self):
        for seconds, shown in (
            (None, "–"),
            (-3, "0 ms"),
            (0.0004, "0 ms"),
            (0.348, "348 ms"),
            (0.9996, "1.0 s"),
            (4.24, "4.2 s"),
            (59.96, "1 min 0 s"),
            (75, "1 min 15 s"),
            (7260, "2 h 1 min"),
            (86399.7, "1 d 0 h"),
            (3 * 86400 + 3700, "3 d 1 h"),
        ):
            self.assertEqual(duration(seconds), shown)

    def test_a_count_that_was_cut_says_so(self):
        self.assertEqual([number(0), number(1000), number(1001)], ["0", "1,000", "1,000+"])

    def test_a_percentile_is_one_of_the_values(self):
        values = [float(value) for value in range(1, 101)]
        self.assertEqual([percentile(values, share) for share in (0.5, 0.95)], [51, 96])
        self.assertEqual([percentile([7.0], 0.95), percentile([], 0.5)], [7.0, None])

    def test_what_waits_too_long_is_late_and_then_stuck(self):
        limits = {"slow": 5, "stuck": 60}
        for seconds, verdict in ((None, "on time"), (4, "on time"), (5, "late"), (60, "stuck")):
            self.assertEqual(how_late(seconds, **limits)[0], verdict)

    def test_a_figure_with_no_verdict_or_a_good_one_is_not_bad(self):
        self.assertFalse(Figure("Pending", "3").is_bad)
        self.assertFalse(Figure("Dead", "0", verdict="none").is_bad)
        self.assertTrue(Figure("Dead", "1", verdict="needs you", colour="danger").is_bad)
