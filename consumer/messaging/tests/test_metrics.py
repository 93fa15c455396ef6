"""/metrics: what waits, for how long, and what became of the rest."""

from django.db.models import Value
from django.test import TestCase, override_settings
from prometheus_client.parser import text_string_to_metric_families

from chassis import tallies
from chassis.clock import SecondsFromNow
from messaging.models import Host, Message, State, Tally
from messaging.tests import base
from messaging.tests.base import accept, answer, finished

TOKEN = "of-the-tests"


def ago(seconds):
    return SecondsFromNow(Value(-float(seconds)))


def settle():
    """As if a while had passed since somebody asked."""
    Tally.objects.update(seen_at=ago(2 * tallies.SETTLE_SECONDS))


@override_settings(METRICS_TOKEN=TOKEN)
class MetricsTests(TestCase):
    def setUp(self):
        base.fresh(self)

    def scrape(self):
        """Every figure by its name and labels, as Prometheus reads them."""
        response = self.client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
        self.assertEqual(response.status_code, 200)
        return {
            (sample.name, *sample.labels.values()): sample.value
            for family in text_string_to_metric_families(response.content.decode())
            for sample in family.samples
        }

    def settled(self):
        for _ in range(2):
            self.scrape()
            settle()
        return self.scrape()

    def test_it_is_closed_without_the_token(self):
        self.assertEqual(self.client.get("/metrics").status_code, 401)

    def test_messages_that_are_not_done_are_counted_by_their_state(self):
        accept(), finished(), finished()
        Message.objects.filter(pk=finished().pk).update(state=State.DEAD, due_at=None)
        Message.objects.filter(pk=finished().pk).update(state=State.DELIVERED, due_at=None)
        found = self.scrape()
        states = {
            state: found["consumer_messages", state]
            for state in ("processing", "delivering", "dead")
        }
        self.assertEqual(states, {"processing": 1, "delivering": 2, "dead": 1})

    def test_the_oldest_are_as_old_as_they_are(self):
        Message.objects.filter(pk=accept().pk).update(created_at=ago(40))
        Message.objects.filter(pk=finished().pk).update(delivering_since=ago(50), due_at=ago(20))
        accept(), finished()
        found = self.scrape()
        for name, age in (
            ("consumer_oldest_processing_message_seconds", 40),
            ("consumer_oldest_delivering_message_seconds", 50),
            ("consumer_oldest_due_delivery_seconds", 20),
        ):
            self.assertAlmostEqual(found[name,], age, delta=5)

    def test_a_result_that_waits_for_its_failing_host_is_not_overdue(self):
        Message.objects.filter(pk=finished().pk).update(due_at=ago(20))
        Host.objects.update(failing_since=ago(20))
        found = self.scrape()
        self.assertEqual(found["consumer_oldest_due_delivery_seconds",], 0)
        self.assertEqual(found["consumer_webhook_hosts_failing",], 1)

    def test_messages_and_attempts_are_counted(self):
        self.scrape()
        finished(), finished(), finished()
        base.webhook_answers(self, 200, 503, answer(None, error="timed out"))
        base.deliver()
        found = self.settled()
        self.assertEqual(found["consumer_messages_accepted_total",], 3)
        attempts = {
            code: found["consumer_webhook_attempts_total", code] for code in ("200", "503", "none")
        }
        self.assertEqual(attempts, {"200": 1, "503": 1, "none": 1})

    def test_how_long_a_delivery_took_is_a_histogram_of_those_taken(self):
        self.scrape()
        Message.objects.filter(pk=finished().pk).update(delivering_since=ago(3))
        finished(webhook_url=f"{base.PRODUCER}/failed")
        hook = base.webhook_answers(self, 200)
        hook.reply = lambda url: answer(503 if url.endswith("failed") else 200)
        base.deliver()
        found = self.settled()
        counts = {
            edge: found["consumer_delivery_duration_seconds_bucket", edge]
            for edge in ("2.5", "10.0", "+Inf")
        }
        self.assertEqual(counts, {"2.5": 0, "10.0": 1, "+Inf": 1})
