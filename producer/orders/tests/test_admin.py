from datetime import UTC, datetime
from unittest.mock import patch

from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, Permission
from django.test import TestCase
from django.utils import timezone
from rest_framework.authtoken.models import Token
from rest_framework_api_key.models import APIKey

from chassis import admin_lists
from chassis.admin_testing import AdminMixin, EveryAdminTests, url_of
from orders.models import Order, OrderAPIKey, OrderItem, OrderStatus, SendAttempt, TaskResult
from orders.tests.base import make_order, make_user
from users.models import CustomUser

NOW = timezone.now()


class EveryPageTests(EveryAdminTests, TestCase):
    def make_rows(self) -> None:
        number = Order.objects.count()
        order = make_order(make_user(f"user{number}"), currency="EUR" if number else "TND")
        TaskResult.objects.create(task_id=f"task-{number}", result="TNDpending", order=order)
        SendAttempt.objects.create(order=order, at=NOW, ms=3, status=503, error="503")
        OrderAPIKey.objects.create_key(name="webhook", order=order)
        APIKey.objects.create_key(name="postman")
        Group.objects.create(name=f"group{number}")
        Token.objects.create(user=order.user)


class OrderAdminTests(AdminMixin, TestCase):
    def setUp(self):
        super().setUp()
        self.amel = make_user("amel")
        self.order = make_order(self.amel)

    def set(self, **columns):
        Order.objects.filter(pk=self.order.pk).update(**columns)

    def refreshed(self):
        self.order.refresh_from_db()
        return self.order

    def test_an_order_is_found_by_whatever_names_it(self):
        self.set(task_id="task-1")
        make_order(make_user("other"))
        uuid = str(self.order.uuid)
        names = [uuid, uuid[:8], uuid.upper(), uuid.replace("-", ""), self.order.order_key]
        for name in [*names, "task-1", "amel", "Amel@Example.com", f" {uuid} "]:
            with self.subTest(name):
                self.assertEqual(self.list_of(Order, q=name), [self.order])
        self.assertEqual(self.list_of(Order, q="nobody"), [])

    def test_the_rows_of_an_order_are_found_by_its_key_and_uuid(self):
        other = make_order(self.amel)
        for order in (self.order, other):
            SendAttempt.objects.create(order=order, at=NOW, ms=3, status=202)
        for name in (self.order.order_key, str(self.order.uuid)[:8]):
            for model in (OrderItem, SendAttempt):
                rows = self.list_of(model, q=name)
                self.assertEqual({row.order_id for row in rows}, {self.order.pk})

    def test_where_a_pending_order_stands_is_shown_and_filtered(self):
        waiting = {"due_at": NOW, "task_id": "", "last_error": ""}
        states = {
            "waiting": waiting,
            "accepted": {**waiting, "task_id": "t"},
            "refused": {**waiting, "due_at": None, "last_error": "refused: 400 no such"},
        }
        for state, columns in states.items():
            self.set(**columns)
            with self.subTest(state):
                for chosen in states:
                    found = self.list_of(Order, sending=chosen)
                    self.assertEqual(found, [self.order] if chosen == state else [])
                shown = columns["last_error"].replace(":", "") or state
                self.assertEqual(self.first(Order, "sending"), shown)
        self.set(due_at=NOW, last_error="connection refused")
        self.assertEqual(self.first(Order, "sending"), "waiting connection refused")
        self.set(status=OrderStatus.CONFIRMED)
        self.assertEqual(self.list_of(Order, sending="waiting"), [])

    def test_when_it_is_due_is_shown_of_a_pending_order_only(self):
        self.set(due_at=datetime(2031, 5, 6, 7, 8, tzinfo=UTC))
        url = url_of(self.order, "change", self.order.pk)
        self.assertIn("2031-05-06 07:08", self.page(url))
        self.set(status=OrderStatus.CONFIRMED)
        self.assertNotIn("2031-05-06", self.page(url))

    def test_an_order_is_filtered_by_status_and_currency(self):
        confirmed = make_order(self.amel, currency="EUR")
        Order.objects.filter(pk=confirmed.pk).update(status=OrderStatus.CONFIRMED)
        self.assertEqual(self.list_of(Order, status__exact="confirmed"), [confirmed])
        self.assertEqual(self.list_of(Order, currency="TND"), [self.order])
        self.assertEqual(self.list_of(Order, currency="JPY"), [])

    def test_its_page_shows_its_items_attempts_results_and_keys(self):
        SendAttempt.objects.create(order=self.order, at=NOW, ms=7, error="connect timeout")
        TaskResult.objects.create(task_id="task-7", result="TNDxpending", order=self.order)
        key, _ = OrderAPIKey.objects.create_key(name="webhook", order=self.order)
        html = self.page(url_of(self.order, "change", self.order.pk))
        for text in ("item1", "item2", "connect timeout", "task-7", "TNDxpending", key.prefix):
            self.assertIn(text, html)

    def test_old_attempts_have_pages_of_their_own_on_it(self):
        attempts = [SendAttempt(order=self.order, at=NOW, ms=n, status=202) for n in range(21)]
        SendAttempt.objects.bulk_create(attempts)
        url = url_of(self.order, "change", self.order.pk)
        self.assertEqual(self.page(url).count("field-ms "), 20)
        self.assertEqual(self.page(f"{url}?attempts_log-page=2").count("field-ms "), 1)

    def test_pending_orders_are_sent_again_and_others_left_alone(self):
        self.set(due_at=None, attempts=9, last_error="refused: 400")
        done = make_order(self.amel)
        Order.objects.filter(pk=done.pk).update(status=OrderStatus.CONFIRMED, due_at=None)
        ring = patch("orders.services.dispatch_bell.ring")
        with ring as rung, self.captureOnCommitCallbacks(execute=True):
            said = self.act(Order, "send_again", [self.order.pk, done.pk])
        rung.assert_called_once_with()
        self.assertEqual(said, "1 order sent again. 1 order left alone: no longer pending.")
        order = self.refreshed()
        self.assertEqual((order.attempts, order.last_error), (0, ""))
        self.assertIsNotNone(order.due_at)
        done.refresh_from_db()
        self.assertIsNone(done.due_at)

    def test_pending_orders_are_cancelled_and_others_left_alone(self):
        done = make_order(self.amel)
        Order.objects.filter(pk=done.pk).update(status=OrderStatus.CONFIRMED)
        said = self.act(Order, "cancel", [self.order.pk, done.pk])
        self.assertEqual(said, "1 order cancelled. 1 order left alone: no longer pending.")
        self.assertEqual(self.refreshed().status, OrderStatus.CANCELLED)
        done.refresh_from_db()
        self.assertEqual(done.status, OrderStatus.CONFIRMED)
        self.assertEqual(
            list(LogEntry.objects.values_list("object_id", "change_message")),
            [(str(self.order.pk), "Cancelled.")],
        )

    def test_a_list_asks_before_it_cancels(self):
        form = {"action": "cancel", "_selected_action": [self.order.pk]}
        response = self.client.post(url_of(Order, "changelist"), form)
        self.assertContains(response, self.order.order_key)
        self.assertEqual(self.refreshed().status, OrderStatus.PENDING)

    def test_one_that_left_the_lists_filter_while_it_asked_is_reported(self):
        self.set(status=OrderStatus.CONFIRMED)
        form = {"action": "cancel", "_selected_action": [self.order.pk], "sure": "yes"}
        url = f"{url_of(Order, 'changelist')}?status__exact=pending"
        said = self.said(self.client.post(url, form, follow=True))
        self.assertEqual(said, "1 order left alone: no longer pending.")

    def test_the_buttons_on_its_page_do_the_same_after_a_question(self):
        self.set(due_at=None, last_error="refused: 400")
        url = url_of(self.order, "send_this_again", self.order.pk)
        self.assertIn("Send this order again?", self.page(url))
        self.assertIsNone(self.refreshed().due_at)
        self.assertEqual(self.press(self.order, "send_this_again"), "1 order sent again.")
        self.assertIsNotNone(self.refreshed().due_at)
        self.assertEqual(self.press(self.order, "cancel_this"), "1 order cancelled.")
        self.assertEqual(self.refreshed().status, OrderStatus.CANCELLED)

    def test_the_buttons_are_there_for_pending_orders_alone(self):
        page = url_of(self.order, "change", self.order.pk)
        self.assertIn("cancel_this", self.page(page))
        self.set(status=OrderStatus.CONFIRMED)
        self.assertNotIn("cancel_this", self.page(page))
        self.assertEqual(self.client.get("/admin/orders/order/x/cancel_this/").status_code, 200)
        form = {"_form_submitted": "True"}
        response = self.client.post("/admin/orders/order/x/cancel_this/", form)
        self.assertEqual(response.status_code, 404)

    def test_an_order_and_what_hangs_on_it_is_written_by_no_form(self):
        attempt = SendAttempt.objects.create(order=self.order, at=NOW, ms=3)
        for row in (self.order, self.order.items.first(), attempt):
            response = self.client.post(url_of(row, "change", row.pk), {"status": "confirmed"})
            self.assertEqual(response.status_code, 403)
            self.assertEqual(self.client.get(url_of(row, "add")).status_code, 403)
        self.assertEqual(self.refreshed().status, OrderStatus.PENDING)

    def test_an_order_is_deleted_with_all_that_hangs_on_it_unless_it_is_confirmed(self):
        SendAttempt.objects.create(order=self.order, at=NOW, ms=3)
        OrderAPIKey.objects.create_key(name="webhook", order=self.order)
        delete = url_of(self.order, "delete", self.order.pk)
        self.set(status=OrderStatus.CONFIRMED)
        self.assertEqual(self.client.post(delete, {"post": "yes"}).status_code, 403)
        self.set(status=OrderStatus.CANCELLED)
        self.assertIn("send attempts", self.page(delete))
        self.client.post(delete, {"post": "yes"})
        for model in (Order, OrderItem, SendAttempt, OrderAPIKey):
            self.assertFalse(model.objects.exists(), model)

    def test_an_order_confirmed_at_the_last_moment_is_not_deleted(self):
        delete = url_of(self.order, "delete", self.order.pk)
        with patch("orders.admin.OrderAdmin.can_delete", return_value=True):
            self.set(status=OrderStatus.CONFIRMED)
            said = self.said(self.client.post(delete, {"post": "yes"}, follow=True))
        self.assertEqual(said, "A confirmed order can't be deleted.")
        self.assertFalse(LogEntry.objects.exists())

    def test_no_list_deletes_orders(self):
        self.assertNotIn("delete_selected", self.page(url_of(Order, "changelist")))
        self.act(Order, "delete_selected", [self.order.pk])
        self.assertTrue(Order.objects.exists())

    def test_the_attempt_of_a_deleted_order_still_has_its_page(self):
        attempt = SendAttempt.objects.create(order_id=10**6, at=NOW, ms=3, error="timeout")
        self.assertEqual(self.list_of(SendAttempt, answer="no answer"), [attempt])
        self.page(url_of(attempt, "change", attempt.pk))
        attempt.delete()  # before the foreign keys are checked

    def test_a_list_of_a_large_table_ends_and_says_so(self):
        make_order(self.amel)
        with patch.object(admin_lists, "MOST_COUNTED", 1):
            html = self.page(url_of(Order, "changelist"))
        self.assertIn("The newest:", html)
        self.assertNotIn("The newest:", self.page(url_of(Order, "changelist")))

    def test_a_result_written_by_hand_moves_no_order(self):
        form = {"task_id": "by-hand", "result": "done", "order": self.order.pk}
        self.client.post(url_of(TaskResult, "add"), form)
        row = TaskResult.objects.get(task_id="by-hand", order=self.order)
        self.assertEqual(self.refreshed().status, OrderStatus.PENDING)
        form = {"task_id": "renamed", "result": "done again", "order": ""}
        self.client.post(url_of(row, "change", row.pk), form)
        row.refresh_from_db()
        self.assertEqual((row.task_id, row.result, row.order), ("by-hand", "done again", None))

    def test_an_order_is_offered_to_a_form_by_its_key(self):
        query = {"app_label": "orders", "model_name": "taskresult", "field_name": "order"}
        url = "/admin/autocomplete/"
        for term in (self.order.order_key, "\x00" + self.order.order_key):
            found = self.client.get(url, {**query, "term": term}).json()["results"]
            self.assertEqual([row["id"] for row in found], [str(self.order.pk)])


class PermissionTests(AdminMixin, TestCase):
    """Staff who are no superusers: what they may do is what their permissions say."""

    def setUp(self):
        super().setUp()
        self.order = make_order(make_user("amel"))
        self.clerk = CustomUser.objects.create_user("clerk", "c@example.com", is_staff=True)
        self.client.force_login(self.clerk)

    def permit(self, *names):
        self.clerk.user_permissions.set(Permission.objects.filter(codename__in=names))

    def test_who_may_only_look_gets_no_action(self):
        self.permit("view_order")
        self.assertNotIn('value="cancel"', self.page(url_of(Order, "changelist")))
        self.assertNotIn("cancel_this", self.page(url_of(self.order, "change", self.order.pk)))
        response = self.client.post(
            url_of(self.order, "cancel_this", self.order.pk), {"_form_submitted": "True"}
        )
        self.assertEqual(response.status_code, 403)
        self.order.refresh_from_db()
        self.assertEqual(self.order.status, OrderStatus.PENDING)

    def test_who_may_change_orders_may_cancel_and_send_them_again(self):
        self.permit("change_order")
        self.assertEqual(self.act(Order, "send_again", [self.order.pk]), "1 order sent again.")
        self.assertEqual(self.press(self.order, "cancel_this"), "1 order cancelled.")

    def test_who_may_delete_orders_needs_no_permission_for_what_hangs_on_them(self):
        self.permit("view_order", "delete_order")
        self.client.post(url_of(self.order, "delete", self.order.pk), {"post": "yes"})
        self.assertFalse(Order.objects.exists())
