"""A row's story, as it is drawn."""

from datetime import timedelta
from unittest import TestCase

from django.utils import timezone

from chassis.story import Step, Story

START = timezone.now() - timedelta(seconds=10)


def step(seconds: float, **columns) -> Step:
    return Step(START + timedelta(seconds=seconds), f"after {seconds}", "info", **columns)


class StoryTests(TestCase):
    def test_its_steps_are_drawn_by_time_and_say_how_long_after_the_first(self):
        drawn = Story([step(4), step(0), step(0.25)]).drawn
        self.assertEqual([one.when for one in drawn], ["start", "+250 ms", "+4.0 s"])

    def test_a_bar_stands_where_its_step_was_and_is_as_long_as_it_took(self):
        drawn = Story([step(0), step(2, ms=1000), step(3, ms=1000)]).drawn
        self.assertEqual([(one.left, one.width) for one in drawn], [(0, 0), (50, 25), (75, 25)])

    def test_what_is_to_come_is_the_last_and_has_no_share_in_the_whole(self):
        now = (timezone.now() - START).total_seconds()
        for at, when in ((now + 1000, "in 16 min"), (1, "now")):
            drawn = Story([step(at, to_come=True), step(0), step(2)]).drawn
            self.assertEqual([one.left for one in drawn], [0, 100, 0])
            self.assertTrue(drawn[-1].when.startswith(when), drawn[-1].when)

    def test_a_single_step_is_a_story_too(self):
        (drawn,) = Story([step(0)]).drawn
        self.assertEqual((drawn.when, drawn.left, drawn.width), ("start", 0, 0))
