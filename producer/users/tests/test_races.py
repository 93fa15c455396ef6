from collections import Counter

from rest_framework.test import APITransactionTestCase

from chassis.testing import at_once
from users.models import CustomUser, ThrottleCount
from users.tests.base import CREATE, PASSWORD, TOKEN, JsonClient, at_second, client_of, make_user

AT_ONCE = 8


def answers(call, times=AT_ONCE):
    """The status codes, counted, of `call(0)`, `call(1)`, … made at once."""
    return Counter(at_once(times, lambda number: call(number).status_code))


class RaceTests(APITransactionTestCase):
    def test_one_of_several_accounts_with_the_same_username_is_made(self):
        def create(number):
            body = {"username": "amel", "email": f"a{number}@example.com", "password": PASSWORD}
            return JsonClient().post(CREATE, body)

        self.assertEqual(answers(create), {201: 1, 400: AT_ONCE - 1})

    def test_one_of_several_accounts_with_the_same_email_is_made(self):
        def create(number):
            email = "amel@example.com" if number % 2 else "AMEL@example.com"
            return JsonClient().post(
                CREATE, {"username": f"a{number}", "email": email, "password": PASSWORD}
            )

        self.assertEqual(answers(create), {201: 1, 400: AT_ONCE - 1})

    def test_guesses_in_parallel_do_not_exceed_the_limit(self):
        make_user("amel")

        def guess(number):
            return JsonClient().post(TOKEN, {"username": "amel", "password": f"guess{number}"})

        with at_second(1_800_000_015):
            self.assertEqual(answers(guess, times=14), {401: 10, 429: 4})
        self.assertEqual(set(ThrottleCount.objects.values_list("count", flat=True)), {10})

    def test_first_sign_ins_at_once_give_one_token(self):
        user = make_user("amel")

        def sign_in(number):
            return JsonClient().post(TOKEN, {"username": "amel", "password": PASSWORD})

        self.assertEqual(answers(sign_in), {200: AT_ONCE})
        self.assertTrue(user.auth_token)

    def test_a_change_does_not_revive_an_account_that_is_being_closed(self):
        user = make_user("amel")
        clients = [client_of(user) for _ in range(AT_ONCE)]

        def change(number):
            if number == 0:
                return clients[0].delete(CREATE)
            return clients[number].patch(CREATE, {"email": f"a{number}@example.com"})

        codes = answers(change)
        self.assertEqual(codes[204], 1)
        self.assertEqual(codes[200] + codes[401], AT_ONCE - 1)
        closed = CustomUser.objects.get()
        self.assertFalse(closed.is_active)
        self.assertTrue(closed.email.endswith("@deleted.invalid"))
