"""What every list of the admin shows, made once instead of for each row."""

from types import SimpleNamespace
from unittest import TestCase, mock

from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from unfold.admin import checkbox
from unfold.templatetags import unfold_list

from chassis import admin_lists


class TickBoxTests(TestCase):
    def test_a_rows_box_is_the_one_that_unfold_renders(self):
        for value in ("7", 'x"><script>', "a&b", "VALUE"):
            with self.subTest(value):
                rendered = checkbox.render(ACTION_CHECKBOX_NAME, value)
                self.assertEqual(admin_lists.tick_box(value), rendered)


class HeadersTests(TestCase):
    def test_a_list_makes_its_headers_once_and_another_list_its_own(self):
        made = mock.Mock(side_effect=lambda cl: iter([cl.title]))
        first, second = SimpleNamespace(title="Orders"), SimpleNamespace(title="Keys")
        with mock.patch.object(admin_lists, "_headers_of_unfold", made):
            found = [unfold_list.result_headers(cl) for cl in (first, first, second)]
        self.assertEqual((found, made.call_count), ([["Orders"], ["Orders"], ["Keys"]], 2))
