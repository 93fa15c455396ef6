"""The key that goes along with each message: derived, not stored, the same at every attempt."""

from datetime import timedelta

from django.db.models.functions import Now
from django.test import TestCase, override_settings
from django.utils import timezone

from chassis import keys
from orders import services, tasks
from orders.models import Order, OrderAPIKey
from orders.tests.base import (
    ConsumerMixin,
    client_with_key,
    make_order,
    make_user,
    unreached,
    webhook_url,
    yesterday,
)

BODY = {"task_id": "t", "status": "confirmed", "result": "TND"}


class OrderKeyTests(ConsumerMixin, TestCase):
    @classmethod
    def setUpTestData(cls):
        cls.user = make_user()
        cls.order = make_order(cls.user)

    def send_again(self):
        Order.objects.update(due_at=Now())
        tasks.dispatch_orders()

    def sent_key(self, index=-1):
        return self.consumer.messages[index]["webhook_api_key"]

    def stored(self):
        return OrderAPIKey.objects.get(order=self.order)

    def deliver(self, key):
        return client_with_key(key).post(webhook_url(self.order), BODY)

    def test_the_key_in_the_message_moves_its_order(self):
        tasks.dispatch_orders()
        self.assertEqual(self.deliver(self.sent_key()).status_code, 200)

    def test_each_order_has_a_key_of_its_own(self):
        other = make_order(self.user)
        tasks.dispatch_orders()
        by_id = {m["message_id"]: m["webhook_api_key"] for m in self.consumer.messages}
        self.assertEqual(len(set(by_id.values())), 2)
        self.assertEqual(self.deliver(by_id[str(other.uuid)]).status_code, 403)

    def test_the_key_is_the_same_at_every_attempt(self):
        self.consumer.reply = lambda messages: unreached()
        for _ in range(3):
            self.send_again()
        self.assertEqual(len({m["webhook_api_key"] for m in self.consumer.messages}), 1)
        self.assertEqual(OrderAPIKey.objects.count(), 1)

    def test_only_its_hash_is_stored(self):
        tasks.dispatch_orders()
        key, row = self.sent_key(), self.stored()
        self.assertEqual((len(row.prefix), row.name), (8, "webhook"))
        self.assertNotIn(key.partition(".")[2], f"{row.id} {row.hashed_key}")
        self.assertTrue(row.is_valid(key))

    def test_it_expires_30_days_after_it_was_last_sent(self):
        tasks.dispatch_orders()
        month = timedelta(days=30)
        self.assertAlmostEqual(
            self.stored().expiry_date, timezone.now() + month, delta=timedelta(minutes=1)
        )
        OrderAPIKey.objects.update(expiry_date=timezone.now() + timedelta(days=1))
        self.send_again()
        self.assertAlmostEqual(
            self.stored().expiry_date, timezone.now() + month, delta=timedelta(minutes=1)
        )

    def test_a_key_that_has_expired_is_good_again_once_it_is_sent_again(self):
        tasks.dispatch_orders()
        OrderAPIKey.objects.update(**yesterday())
        self.assertEqual(self.deliver(self.sent_key()).status_code, 401)
        # By hand its schedule begins anew: its next attempt is counted as the first.
        services.send_again(orders=Order.objects.all())
        tasks.dispatch_orders()
        self.assertEqual(self.deliver(self.sent_key()).status_code, 200)

    def test_a_pruned_key_is_made_again(self):
        tasks.dispatch_orders()
        OrderAPIKey.objects.all().delete()
        self.send_again()
        self.assertEqual(self.sent_key(0), self.sent_key(1))
        self.assertEqual(self.deliver(self.sent_key()).status_code, 200)

    def test_a_key_that_was_revoked_stays_revoked_and_another_takes_its_place(self):
        tasks.dispatch_orders()
        OrderAPIKey.objects.update(revoked=True)
        for _ in range(2):
            self.send_again()
        self.assertEqual(self.deliver(self.sent_key(0)).status_code, 401)
        self.assertEqual(self.sent_key(1), self.sent_key(2))
        self.assertEqual(self.deliver(self.sent_key(2)).status_code, 200)

    def test_a_prefix_that_is_anothers_is_left_to_it_and_another_key_is_made(self):
        holder = make_order(self.user)
        taken = keys.derive("order", str(self.order.uuid))[: keys.PREFIX]
        theirs = f"{taken}.{'x' * keys.SECRET}"
        OrderAPIKey.objects.create(order=holder, name="theirs", **keys.hashed(theirs))
        tasks.dispatch_orders()
        by_id = {m["message_id"]: m["webhook_api_key"] for m in self.consumer.messages}
        mine = by_id[str(self.order.uuid)]
        self.assertEqual(mine, keys.derive("order", str(self.order.uuid), 1))
        self.assertEqual(self.deliver(mine).status_code, 200)
        self.assertEqual(client_with_key(theirs).post(webhook_url(holder), BODY | {"task_id": "u"})
                         .status_code, 200)  # fmt: skip

    def test_the_other_key_is_the_same_at_every_attempt_too(self):
        taken = keys.derive("order", str(self.order.uuid))[: keys.PREFIX]
        holder = make_order(self.user)
        OrderAPIKey.objects.create(order=holder, name="x", **keys.hashed(f"{taken}.{'x' * 32}"))
        self.send_again()
        self.send_again()
        sent = [m["webhook_api_key"] for m in self.consumer.messages
                if m["message_id"] == str(self.order.uuid)]  # fmt: skip
        self.assertEqual(len(sent), 2)
        self.assertEqual(len(set(sent)), 1)

    def test_after_a_change_of_the_secret_the_old_and_the_new_key_work(self):
        tasks.dispatch_orders()
        with override_settings(SECRET_KEY="another"):
            self.send_again()
        self.assertNotEqual(self.sent_key(0), self.sent_key(1))
        self.assertEqual([self.deliver(self.sent_key(i)).status_code for i in (0, 1)], [200, 200])
