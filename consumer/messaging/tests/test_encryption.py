"""Keys that others gave us, as they lie in the database."""

from django.db import connection
from django.test import TestCase, override_settings

from messaging.models import Message
from messaging.tests import base
from messaging.tests.base import KEY, accept


def stored():
    with connection.cursor() as cursor:
        cursor.execute("SELECT webhook_api_key FROM messaging_message")
        return [row[0] for row in cursor.fetchall()]


def read():
    return Message.objects.get().webhook_api_key


class EncryptionTests(TestCase):
    def test_a_key_is_encrypted_at_rest_and_read_as_it_was(self):
        accept(webhook_api_key=KEY)
        (text,) = stored()
        self.assertTrue(text.startswith("gAAAA"), text)
        self.assertNotIn(KEY, text)
        self.assertEqual(read(), KEY)

    def test_the_same_key_is_encrypted_otherwise_each_time(self):
        accept(webhook_api_key=KEY), accept(webhook_api_key=KEY)
        first, second = stored()
        self.assertNotEqual(first, second)

    def test_no_key_is_an_empty_text(self):
        accept()
        self.assertEqual((stored(), read()), ([""], ""))

    def test_it_is_encrypted_by_each_way_of_writing(self):
        message = accept()
        Message.objects.update(webhook_api_key=KEY)
        self.assertNotIn(KEY, stored()[0])
        message.webhook_api_key = KEY
        message.save()
        Message.objects.bulk_update([message], ["webhook_api_key"])
        self.assertNotIn(KEY, stored()[0])
        self.assertEqual(read(), KEY)

    def test_it_is_read_by_a_claim_too(self):
        base.finished(webhook_api_key=KEY)
        (send,) = base.delivery.Sends()._claim()
        self.assertEqual(send.message.webhook_api_key, KEY)

    def test_after_the_secret_was_replaced_the_old_one_still_reads(self):
        accept(webhook_api_key=KEY)
        old = base.services.settings.SECRET_KEY
        with override_settings(SECRET_KEY="new", SECRET_KEY_FALLBACKS=["older", old]):
            self.assertEqual(read(), KEY)
            Message.objects.update(webhook_api_key=KEY)
        with override_settings(SECRET_KEY="new", SECRET_KEY_FALLBACKS=[]):
            self.assertEqual(read(), KEY)  # whatever is written is written with the new one

    def test_what_no_secret_opens_reads_as_no_key(self):
        accept(webhook_api_key=KEY)
        with override_settings(SECRET_KEY="new", SECRET_KEY_FALLBACKS=[]):
            self.assertEqual(read(), "")
        for text in ("plain", "gAAAAbroken", "é", "gAAAA" + "A" * 200):
            with connection.cursor() as cursor, self.subTest(text):
                cursor.execute("UPDATE messaging_message SET webhook_api_key = %s", [text])
                self.assertEqual(read(), "")
