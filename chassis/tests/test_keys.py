"""Keys: derived, hashed, found."""

from datetime import timedelta

from django.conf import settings
from django.test import TestCase, override_settings
from django.utils import timezone
from rest_framework_api_key.models import APIKey

from chassis import keys


class DerivedKeyTests(TestCase):
    def test_a_key_looks_as_the_library_makes_them(self):
        self.assertRegex(keys.derive("order", "1"), r"\A[0-9A-Za-z]{8}\.[0-9A-Za-z]{32}\Z")

    def test_it_is_the_same_at_every_call_and_another_for_everything_else(self):
        key = keys.derive("order", "1")
        self.assertEqual(keys.derive("order", "1"), key)
        others = {
            keys.derive("order", "2"), keys.derive("task", "1"), keys.derive("order", "1", 1),
            keys.derive("order", "1", 2),
        }  # fmt: skip
        with override_settings(SECRET_KEY="another"):
            others.add(keys.derive("order", "1"))
        self.assertEqual(len(others | {key}), 6)

    def test_every_character_comes_about_as_often(self):
        text = "".join(keys.derive("order", str(number)).replace(".", "") for number in range(200))
        counts = [text.count(character) for character in keys.ALPHABET]
        self.assertGreater(min(counts), 129 * 0.5)  # 8,000 characters, 62 kinds: 129 of each
        self.assertLess(max(counts), 129 * 1.5)

    def test_its_hashed_columns_are_those_of_a_stock_key(self):
        key = keys.derive("order", "1")
        row = APIKey.objects.create(name="derived", **keys.hashed(key))
        self.assertTrue(row.is_valid(key))
        self.assertFalse(row.is_valid(key[:-1]))
        stock, made = APIKey.objects.create_key(name="stock")
        expected = {"id": stock.id, "prefix": stock.prefix, "hashed_key": stock.hashed_key}
        self.assertEqual(keys.hashed(made), expected)


class FindTests(TestCase):
    @classmethod
    def setUpTestData(cls):
        cls.row, cls.key = APIKey.objects.create_key(name="reporting")

    def test_a_key_is_found_in_one_query(self):
        with self.assertNumQueries(1):
            self.assertEqual(keys.find(APIKey, self.key), self.row)

    def test_what_is_not_that_key_is_not_found(self):
        prefix = self.row.prefix
        near = (f"{prefix}.x", f"x{self.key}", f"{self.key}x", self.key.swapcase())
        far = ("", ".", prefix, f"{prefix}.", "\x00", f"{prefix}\x00.x", "é", "x" * 9999)
        for key in near + far:
            with self.subTest(key):
                self.assertIsNone(keys.find(APIKey, key))

    def test_a_revoked_or_expired_one_is_not_found(self):
        for columns in (
            {"revoked": True},
            {"expiry_date": timezone.now() - timedelta(seconds=1)},
        ):
            APIKey.objects.update(revoked=False, expiry_date=None)
            APIKey.objects.update(**columns)
            with self.subTest(columns):
                self.assertIsNone(keys.find(APIKey, self.key))

    def test_one_that_expires_later_is_found(self):
        APIKey.objects.update(expiry_date=timezone.now() + timedelta(minutes=1))
        self.assertEqual(keys.find(APIKey, self.key), self.row)

    def test_the_services_scoped_model_says_what_it_opens(self):
        model = keys.scoped_model()
        self.assertEqual(model._meta.label, settings.SCOPED_KEY_MODEL)
        scope = model._meta.get_field(model.scope).related_model
        self.assertTrue(scope._meta.get_field(model.lookup).unique)
