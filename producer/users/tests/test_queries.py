"""How many queries the accounts' endpoints take."""

from django.test import TestCase

from users.tests.base import CREATE, ME, PASSWORD, TOKEN, YAHYA, JsonClient, client_of, make_user

SAVEPOINT = 2  # of each transaction inside the test's own


class AccountQueryTests(TestCase):
    @classmethod
    def setUpTestData(cls):
        cls.user = make_user()

    def setUp(self):
        self.client = client_of(self.user)

    def test_the_own_account_takes_one(self):
        with self.assertNumQueries(1):
            self.client.get(ME)

    def test_a_new_account_takes_two(self):
        with self.assertNumQueries(2 + 2 * SAVEPOINT):  # the throttle, the row
            JsonClient().post(CREATE, YAHYA)

    def test_a_change_of_the_account_takes_three(self):
        with self.assertNumQueries(3 + 2 * SAVEPOINT):  # token, the row locked, the change
            self.client.patch(CREATE, {"phone_number": "+21658741196"})

    def test_signing_in_takes_nine(self):
        # Whose login it is; the throttles, counted and given back (4); password, token (4).
        body = {"username": "amel", "password": PASSWORD}
        with self.assertNumQueries(9 + SAVEPOINT):
            JsonClient().post(TOKEN, body)

    def test_a_token_replaced_takes_two(self):
        with self.assertNumQueries(2):
            self.client.put(TOKEN)

    def test_a_token_revoked_takes_two(self):
        with self.assertNumQueries(2):
            self.client.delete(TOKEN)
