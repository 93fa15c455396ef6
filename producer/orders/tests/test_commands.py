"""The management commands, run as an operator would."""

import json
import uuid
from datetime import timedelta
from io import StringIO
from unittest.mock import patch

from django.conf import settings
from django.core.management import CommandError, call_command
from django.db.models import Value
from django.test import TestCase, override_settings
from django.utils import timezone
from rest_framework_api_key.models import APIKey

from chassis.clock import SecondsFromNow
from orders import tasks
from orders.models import Order, OrderAPIKey, SendAttempt, TaskResult
from orders.tests.base import (
    TASK,
    TASK_RESULTS,
    OrdersTestCase,
    answer,
    cancel,
    client_with_key,
    confirm,
    make_order,
    make_user,
    set_order,
    unreached,
    webhook_url,
    yesterday,
)
from users.models import ThrottleCount

BODY = {"task_id": TASK, "status": "confirmed", "result": "TND"}


def run(*args, **options):
    out = StringIO()
    call_command(*args, stdout=out, **options)
    return out.getvalue()


class CreateApiKeyTests(OrdersTestCase):
    def test_it_prints_a_service_key_once_that_works(self):
        key = run("create_api_key", "--name", "reporting").strip()
        self.assertEqual(client_with_key(key).get(TASK_RESULTS).status_code, 200)
        self.assertEqual(APIKey.objects.get().name, "reporting")
        self.assertNotIn(key.partition(".")[2], str(APIKey.objects.values().get()))

    def test_it_makes_a_key_of_one_order(self):
        key = run("create_api_key", "--name", "webhook", "--order", str(self.order.uuid)).strip()
        self.assertEqual(OrderAPIKey.objects.get().order, self.order)
        other = make_order(self.user)
        client = client_with_key(key)
        self.assertEqual(client.post(webhook_url(other), BODY).status_code, 403)
        self.assertEqual(client.post(webhook_url(self.order), BODY).status_code, 200)

    def test_a_key_may_expire(self):
        run("create_api_key", "--name", "guest", "--expires", "90")
        expected = timezone.now() + timedelta(days=90)
        self.assertAlmostEqual(
            APIKey.objects.get().expiry_date, expected, delta=timedelta(minutes=1)
        )

    def test_what_it_can_not_do_it_says(self):
        for args, said in (
            (("--name", "x" * 51), "--name"),
            (("--name", ""), "--name"),
            (("--name", "x", "--expires", "0"), "--expires"),
            (("--name", "x", "--expires", "99999999"), "--expires"),
            (("--name", "x", "--expires", "soon"), "--expires"),
            (("--name", "x", "--order", "nonsense"), "no order"),
            (("--name", "x", "--order", str(uuid.uuid4())), "no order"),
            ((), "--name"),
        ):
            with self.subTest(args), self.assertRaisesMessage(CommandError, said):
                run("create_api_key", *args)
        self.assertFalse(APIKey.objects.exists() or OrderAPIKey.objects.exists())


KEY = "abcd1234.0123456789abcdef0123456789abcdef"


@override_settings(SERVICE_API_KEY=KEY)
class ProvisionApiKeyTests(TestCase):
    def test_the_environments_key_is_accepted_from_then_on(self):
        self.assertEqual(client_with_key(KEY).get(TASK_RESULTS).status_code, 401)
        self.assertIn("accepted", run("provision_api_key"))
        self.assertEqual(client_with_key(KEY).get(TASK_RESULTS).status_code, 200)

    def test_it_may_be_run_again_and_changes_nothing(self):
        run("provision_api_key")
        before = APIKey.objects.values().get()
        self.assertIn("known already", run("provision_api_key"))
        self.assertEqual(APIKey.objects.values().get(), before)

    def test_only_the_hash_is_stored_and_the_key_is_not_printed(self):
        said = run("provision_api_key")
        secret = KEY.partition(".")[2]
        self.assertNotIn(secret, said)
        self.assertNotIn(secret, str(APIKey.objects.values().get()))

    def test_after_a_new_key_the_old_one_stays_good(self):
        run("provision_api_key")
        with override_settings(SERVICE_API_KEY="efgh5678.0123456789abcdef0123456789abcdef"):
            run("provision_api_key")
        self.assertEqual(client_with_key(KEY).get(TASK_RESULTS).status_code, 200)
        self.assertEqual(APIKey.objects.count(), 2)

    def test_a_revoked_or_expired_key_or_a_taken_prefix_is_said(self):
        run("provision_api_key")
        for columns in ({"revoked": True}, yesterday()):
            APIKey.objects.update(revoked=False, expiry_date=None)
            APIKey.objects.update(**columns)
            with self.subTest(columns), self.assertRaisesMessage(CommandError, "revoked, expired"):
                run("provision_api_key")
        APIKey.objects.update(revoked=False, expiry_date=None)
        with (
            override_settings(SERVICE_API_KEY="abcd1234.fedcba9876543210fedcba9876543210"),
            self.assertRaisesMessage(CommandError, "another one has this prefix"),
        ):
            run("provision_api_key")

    def test_a_key_in_another_form_is_said_with_how_to_get_one(self):
        for bad in ("", "nodot", "prefix-too-long.0123456789abcdef", "abcd1234.short", "."):
            with (
                self.subTest(bad),
                override_settings(SERVICE_API_KEY=bad),
                self.assertRaisesMessage(CommandError, "8 and 32 random characters"),
            ):
                run("provision_api_key")


class RedeliverTests(OrdersTestCase):
    def setUp(self):
        super().setUp()
        set_order(self.order, due_at=None, last_error="refused: 400", attempts=3)

    def is_due(self, order):
        """Now, or within the moment that a few orders are spread over."""
        soon = SecondsFromNow(Value(1.0))
        return Order.objects.filter(pk=order.pk, due_at__lte=soon).exists()

    def test_an_order_is_sent_again_by_its_uuid_or_its_key(self):
        for name in (str(self.order.uuid), self.order.order_key):
            with self.subTest(name):
                set_order(self.order, due_at=None)
                self.assertIn("1 are sent again", run("redeliver", name))
                self.assertTrue(self.is_due(self.order))

    def test_all_dead_ones_are_sent_again(self):
        other = set_order(make_order(self.user), due_at=timezone.now() + timedelta(hours=1))
        self.assertIn("1 are sent again", run("redeliver", "--dead"))
        self.assertEqual((self.is_due(self.order), self.is_due(other)), (True, False))

    def test_all_that_are_pending_for_long_are_sent_again(self):
        set_order(self.order, created_at=timezone.now() - timedelta(minutes=11))
        make_order(self.user)
        self.assertIn("1 are sent again", run("redeliver", "--older-than", "10"))
        self.assertTrue(self.is_due(self.order))

    def test_a_dry_run_changes_nothing(self):
        self.assertIn("1 would be sent again", run("redeliver", "--dead", "--dry-run"))
        self.assertFalse(self.is_due(self.order))

    def test_what_can_not_be_sent_again_is_said_and_nothing_is_done(self):
        confirmed = confirm(make_order(self.user))
        for name in (str(confirmed.uuid), "UNKNOWN", str(uuid.uuid4())):
            said = f"again: {name}. Nothing was done."
            with self.subTest(name), self.assertRaisesMessage(CommandError, said):
                run("redeliver", str(self.order.uuid), name)
        self.assertFalse(self.is_due(self.order))

    def test_exactly_one_way_to_choose_is_needed(self):
        for args in ((), ("X", "--dead"), ("--dead", "--older-than", "1")):
            with self.subTest(args), self.assertRaisesMessage(CommandError, "Give either"):
                run("redeliver", *args)

    def test_a_time_that_is_none_is_said(self):
        for bad in ("-1", "nan", "inf", "1e300", "soon"):
            with self.subTest(bad), self.assertRaisesMessage(CommandError, "--older-than"):
                run("redeliver", f"--older-than={bad}")

    def test_many_are_written_in_parts(self):
        for _ in range(4):
            set_order(make_order(self.user), due_at=None)
        with patch("chassis.commands.AT_ONCE", 2), self.assertNumQueries(1 + 4 + 3):
            self.assertIn("5 are sent again", run("redeliver", "--dead"))
        self.assertFalse(Order.objects.filter(due_at=None).exists())

    def test_many_are_spread_over_time(self):
        self.assertIn("over 0 s", run("redeliver", "--dead"))
        for _ in range(99):
            set_order(make_order(self.user), due_at=None)
        set_order(self.order, due_at=None)
        self.assertIn("100 are sent again, over 2 s", run("redeliver", "--dead"))


class PruneTests(OrdersTestCase):
    def setUp(self):
        super().setUp()
        cancel(make_order(self.user))
        set_order(confirm(make_order(self.user)), created_at=timezone.now() - timedelta(days=9999))
        TaskResult.objects.create(task_id="t", result="r", order=self.order)
        TaskResult.objects.update(created_at=timezone.now() - timedelta(days=9999))

    def attempt(self, **ago):
        return SendAttempt.objects.create(
            order=self.order, at=timezone.now() - timedelta(**ago), ms=1, status=202
        )

    def key(self, **ahead):
        expiry = timezone.now() + timedelta(**ahead)
        return OrderAPIKey.objects.create_key(name="k", order=self.order, expiry_date=expiry)[0]

    @override_settings(RETENTION_DAYS=30)
    def test_old_attempts_and_expired_keys_go_and_the_rest_stays(self):
        self.attempt(days=31), self.key(seconds=-1)
        kept = self.attempt(days=29), self.key(hours=1)
        lasting, _ = OrderAPIKey.objects.create_key(name="for ever", order=self.order)
        revoked = self.key(seconds=-1)
        OrderAPIKey.objects.filter(pk=revoked.pk).update(revoked=True)
        ThrottleCount.objects.create(key="old", minute=1, count=1)
        said = run("prune")
        for what in ("1 attempts", "1 expired order keys", "1 throttle counts"):
            self.assertIn(what, said)
        self.assertEqual(SendAttempt.objects.get(), kept[0])
        self.assertCountEqual(OrderAPIKey.objects.all(), [kept[1], lasting, revoked])

    def test_a_process_whose_clock_is_years_ahead_deletes_no_more(self):
        kept = self.attempt(days=29), self.key(hours=1)
        with patch("django.utils.timezone.now", return_value=timezone.now() + timedelta(days=999)):
            run("prune")
        self.assertEqual(SendAttempt.objects.get(), kept[0])
        self.assertEqual(OrderAPIKey.objects.get(), kept[1])

    def test_orders_and_results_never_go(self):
        before = Order.objects.count(), TaskResult.objects.count()
        run("prune", "--days", "0")
        self.assertEqual((Order.objects.count(), TaskResult.objects.count()), before)

    def test_the_days_may_be_given(self):
        self.attempt(days=3)
        self.assertIn("nothing", run("prune", "--days", "4"))
        self.assertIn("1 attempts", run("prune", "--days", "2"))

    def test_a_number_of_days_that_is_none_is_said_and_nothing_goes(self):
        self.attempt(days=3)
        for bad in ("-1", "nan", "inf", "1e300", "soon"):
            with self.subTest(bad), self.assertRaisesMessage(CommandError, "--days"):
                run("prune", f"--days={bad}")
        self.assertEqual(SendAttempt.objects.count(), 1)

    def test_a_dry_run_says_what_would_go_and_deletes_nothing(self):
        self.attempt(days=3), self.attempt(days=5), self.key(seconds=-1)
        said = run("prune", "--days", "4", "--dry-run")
        self.assertEqual(said, "Would delete 1 attempts, 1 expired order keys.\n")
        self.assertEqual((SendAttempt.objects.count(), OrderAPIKey.objects.count()), (2, 1))

    def test_it_goes_on_in_batches_until_nothing_is_left(self):
        for _ in range(5):
            self.attempt(days=9)
        with patch("orders.pruning.BATCH", 2):
            self.assertIn("5 attempts", run("prune", "--days", "1"))
        self.assertFalse(SendAttempt.objects.exists())

    @override_settings(RETENTION_DAYS=7)
    def test_the_workers_own_pruning_goes_on_for_a_moment(self):
        for _ in range(5):
            self.attempt(days=8)
        with patch("orders.pruning.BATCH", 2):
            with patch("chassis.pruning.MOMENT", -1):
                self.assertEqual(tasks.prune()["attempts"], 2)
            self.assertEqual(tasks.prune()["attempts"], 3)
            self.assertEqual(tasks.prune()["attempts"], 0)

    def test_attempts_of_an_order_that_is_gone_go_too(self):
        SendAttempt.objects.create(
            order_id=10**6, at=timezone.now() - timedelta(days=99), ms=1, status=202
        )
        self.assertIn("1 attempts", run("prune"))


class ReconcileTests(TestCase):
    @classmethod
    def setUpTestData(cls):
        cls.user = make_user()

    def order(self, **columns):
        return set_order(
            make_order(self.user), created_at=timezone.now() - timedelta(minutes=5), **columns
        )

    def task(self, message_id, status="PENDING", state="processing", **delivery):
        delivery = {
            "state": state,
            "attempts": 2,
            "due_at": "soon",
            "last_error": "500",
            **delivery,
        }
        return {
            "task_id": TASK,
            "message_id": str(message_id),
            "status": status,
            "delivery": delivery,
        }

    def reconcile(self, *tasks, code=1):
        """What it says; the consumer has these tasks, one a page."""
        pages = [[task] for task in tasks] or [[]]
        ahead = [f"http://consumer.example/?page={n}" for n in range(1, len(pages))]
        answers = [
            answer(200, {"results": page, "next": following})
            for page, following in zip(pages, [*ahead, None], strict=True)
        ]
        out = StringIO()
        with patch("chassis.http.get", side_effect=answers) as self.asked:
            if code:
                with self.assertRaises(SystemExit) as ended:
                    call_command("reconcile", stdout=out)
                self.assertEqual(ended.exception.code, code)
            else:
                call_command("reconcile", stdout=out)
        return out.getvalue()

    def test_without_a_gap_it_says_so(self):
        order = confirm(self.order())
        cancel(self.order())
        made = make_order(self.user)  # may simply be on its way
        said = self.reconcile(self.task(order.uuid, "SUCCESS", "delivered"), code=0)
        self.assertIn("No gap", said)
        self.assertNotIn(str(made.uuid), said)

    def test_each_gap_is_named_with_what_mends_it(self):
        for task, said in (
            (None, "the consumer does not know it"),
            ({"state": "processing"}, "has no result"),
            ({"state": "delivering", "status": "SUCCESS"}, "being delivered (2 attempts, 500)"),
            ({"state": "dead", "status": "SUCCESS"}, "ended as dead"),
        ):
            with self.subTest(said):
                order = self.order()
                tasks = [self.task(order.uuid, **task)] if task else []
                text = self.reconcile(*tasks)
                self.assertIn(f"{order.uuid} is pending", text)
                self.assertIn(said, text)
                self.assertIn("mend: ", text)
                Order.objects.all().delete()

    def test_a_refused_order_is_a_gap(self):
        order = self.order(due_at=None, last_error="refused: 400 address: odd")
        text = self.reconcile()
        self.assertIn("refused: 400 address: odd", text)
        self.assertIn(f"manage.py redeliver {order.uuid}", text)

    def test_a_confirmed_order_whose_task_failed_is_a_gap(self):
        order = confirm(self.order())
        self.assertIn("failed", self.reconcile(self.task(order.uuid, "FAILURE", "delivered")))

    def test_a_task_whose_order_is_not_here_is_a_gap(self):
        text = self.reconcile(self.task(uuid.uuid4()), self.task(uuid.uuid4(), state="gone"))
        self.assertIn("is not here", text)
        self.assertIn("1 gaps", text)

    def test_a_dead_one_whose_order_is_not_here_is_mended_by_hand(self):
        text = self.reconcile(self.task(uuid.uuid4(), state="dead"))
        self.assertIn("mend: consumer: manage.py redeliver ", text)

    def test_the_key_goes_to_no_address_that_a_page_names(self):
        self.reconcile(self.task(uuid.uuid4()), self.task(uuid.uuid4()))
        first, second = (call.args[0] for call in self.asked.call_args_list)
        own = f"{settings.CONSUMER_URL}/api/v1/consumer/tasks/?"
        self.assertTrue(first.startswith(f"{own}page_size="), first)
        self.assertEqual(second, f"{own}page=1")

    def test_a_consumer_that_can_not_be_asked_is_said_and_ends_with_2(self):
        for given in (unreached(), answer(503, {}), answer(200, b"<html>"), answer(401, {})):
            with (
                self.subTest(given.status),
                patch("chassis.http.get", return_value=given),
                self.assertRaisesMessage(CommandError, "can't be asked") as raised,
            ):
                call_command("reconcile")
            self.assertEqual(raised.exception.returncode, 2)

    def test_the_consumer_is_asked_for_the_window(self):
        page = answer(200, {"results": [], "next": None})
        with patch("chassis.http.get", return_value=page) as get:
            call_command("reconcile", "--hours", "2", stdout=StringIO())
        (url,), _ = get.call_args
        self.assertRegex(json.dumps(url), r"tasks/\?page_size=20&created_after=\d{4}-.*Z")
