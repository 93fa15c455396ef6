from unittest import TestCase

from orders.currencies import CURRENCIES


class CurrencyTests(TestCase):
    def test_codes_are_three_upper_case_letters(self):
        self.assertTrue(
            all(len(c) == 3 and c.isascii() and c.isalpha() and c.isupper() for c in CURRENCIES)
        )

    def test_there_are_about_as_many_as_countries_use(self):
        self.assertTrue(140 < len(CURRENCIES) < 200)

    def test_those_in_use_are_there_and_neither_funds_metals_nor_old_ones(self):
        self.assertLessEqual(
            {"TND", "USD", "EUR", "JPY", "GBP", "CHF", "DZD", "XOF", "ZWG"}, CURRENCIES
        )
        self.assertFalse(
            {"XAU", "XXX", "XTS", "DEM", "FRF", "HRK", "ZWL", "USN", "BTC"} & CURRENCIES
        )
