from unittest.mock import patch

from django.contrib.auth.hashers import MD5PasswordHasher
from django.test import RequestFactory
from rest_framework.exceptions import Throttled
from rest_framework.settings import api_settings

from chassis import throttle
from users.models import CustomUser, ThrottleCount
from users.tests.base import CREATE, PASSWORD, TOKEN, UsersTestCase, at_second, client_of, make_user

SECOND = 1_800_000_015  # 15 s into a minute
LIMIT = throttle.Limit("tries", "somebody", 3)


class CountTests(UsersTestCase):
    def test_a_limit_is_reached_and_a_new_minute_begins_anew(self):
        with at_second(SECOND):
            for _ in range(3):
                throttle.count(ThrottleCount, LIMIT)
            for _ in range(2):
                with self.assertRaises(Throttled) as refused:
                    throttle.count(ThrottleCount, LIMIT)
                self.assertEqual(refused.exception.wait, 45)
        self.assertEqual(ThrottleCount.objects.get().count, 3)
        with at_second(SECOND + 45):
            throttle.count(ThrottleCount, LIMIT)
        self.assertEqual(ThrottleCount.objects.get().count, 1)

    def test_subjects_and_purposes_are_counted_apart(self):
        throttle.count(ThrottleCount, LIMIT)
        throttle.count(ThrottleCount, LIMIT._replace(what="other tries"))
        throttle.count(ThrottleCount, LIMIT._replace(subject="somebody else"))
        self.assertEqual(set(ThrottleCount.objects.values_list("count", flat=True)), {1})

    def test_what_was_counted_in_a_minute_that_is_over_is_not_taken_back(self):
        with at_second(SECOND):
            minute = throttle.count(ThrottleCount, LIMIT)
        with at_second(SECOND + 60):
            throttle.count(ThrottleCount, LIMIT)
        throttle.take_back(ThrottleCount, LIMIT, minute)
        self.assertEqual(ThrottleCount.objects.get().count, 1)

    def test_the_clock_is_the_databases_and_counts_minutes_since_1970(self):
        minute = throttle.count(ThrottleCount, LIMIT)
        self.assertGreater(minute, 1_700_000_000 // 60)
        self.assertLess(minute, 5_000_000_000 // 60)

    def test_a_count_is_old_when_it_is_over_for_an_hour(self):
        with at_second(SECOND):
            throttle.count(ThrottleCount, LIMIT)
        with at_second(SECOND + 3600):
            throttle.count(ThrottleCount, LIMIT._replace(subject="later"))
            self.assertFalse(throttle.old_counts(ThrottleCount).exists())
        with at_second(SECOND + 3660):
            self.assertEqual(throttle.old_counts(ThrottleCount).get().pk, LIMIT.key)
        with at_second(SECOND + 99_999):
            self.assertEqual(throttle.old_counts(ThrottleCount).count(), 2)


class AddressTests(UsersTestCase):
    def address(self, remote, forwarded=None):
        headers = {"HTTP_X_FORWARDED_FOR": forwarded} if forwarded else {}
        return throttle.address(RequestFactory().get("/", REMOTE_ADDR=remote, **headers))

    def test_without_proxies_a_forwarded_address_is_not_believed(self):
        self.assertEqual(self.address("192.0.2.1", "198.51.100.9"), "192.0.2.1")

    def test_behind_proxies_it_is_what_the_outermost_of_them_saw(self):
        seen = "203.0.113.5, 198.51.100.9, 192.0.2.7"
        for proxies, expected in ((1, "192.0.2.7"), (2, "198.51.100.9"), (9, "203.0.113.5")):
            with patch.object(api_settings, "NUM_PROXIES", proxies):
                self.assertEqual(self.address("10.0.0.1", seen), expected)
                self.assertEqual(self.address("10.0.0.1"), "10.0.0.1")

    def test_an_ipv6_address_counts_as_its_network(self):
        self.assertEqual(self.address("2001:db8:1:2:aaaa::1"), "2001:db8:1:2::/64")
        self.assertEqual(self.address("2001:db8:1:2:bbbb::2"), "2001:db8:1:2::/64")
        self.assertEqual(self.address("::ffff:192.0.2.1"), "192.0.2.1")

    def test_what_is_no_address_counts_as_it_is(self):
        self.assertEqual(self.address("unix:"), "unix:")
        self.assertEqual(self.address(""), "")


class SignInThrottleTests(UsersTestCase):
    def setUp(self):
        clock = at_second(SECOND)
        clock.start()
        self.addCleanup(clock.stop)
        self.user = make_user("amel")

    def sign_in(self, login="amel", password="wrong", address="192.0.2.1"):
        body = {"username": login, "password": password}
        return self.client.post(TOKEN, body, REMOTE_ADDR=address)

    def fail(self, times, **values):
        for number in range(times):
            response = self.sign_in(**{"login": f"unknown{number}", **values})
            self.assert_unauthorized(response)

    def test_the_eleventh_failed_sign_in_of_a_minute_is_refused_wherever_it_comes_from(self):
        self.fail(5, login="amel")
        self.fail(5, login="AMEL@example.com", address="192.0.2.2")
        for login in ("amel", "amel@example.com"):
            response = self.sign_in(login, PASSWORD, address="192.0.2.3")
            self.assert_problem(response, 429)
            self.assertEqual(response.headers["Retry-After"], "45")
        self.assertEqual(make_user("other").username, "other")
        self.assertEqual(self.sign_in("other", PASSWORD).status_code, 200)

    def test_it_is_accepted_again_in_the_next_minute(self):
        self.fail(10, login="amel")
        with at_second(SECOND + 45):
            self.assertEqual(self.sign_in(password=PASSWORD).status_code, 200)

    def test_an_unknown_account_is_refused_like_a_known_one(self):
        self.fail(10, login="Nobody@example.com")
        known = [self.sign_in("amel") for _ in range(11)][-1]
        unknown = self.sign_in("nobody@example.com")
        self.assert_problem(unknown, 429)
        self.assertEqual(known.json(), unknown.json())

    def test_the_sixty_first_failed_sign_in_from_an_address_is_refused(self):
        self.fail(60)
        response = self.sign_in(password=PASSWORD)
        self.assert_problem(response, 429)
        self.assertEqual(response.headers["Retry-After"], "45")
        self.assertEqual(self.sign_in(password=PASSWORD, address="192.0.2.2").status_code, 200)

    def test_sign_ins_that_succeed_are_not_counted(self):
        for _ in range(65):
            self.assertEqual(self.sign_in(password=PASSWORD).status_code, 200)
        self.assertEqual(set(ThrottleCount.objects.values_list("count", flat=True)), {0})

    def test_a_refused_sign_in_costs_no_hash_and_does_not_count_against_the_address(self):
        self.fail(10, login="amel")
        with patch.object(MD5PasswordHasher, "encode") as encode:
            for _ in range(60):
                self.assert_problem(self.sign_in("amel"), 429)
        encode.assert_not_called()
        self.assert_unauthorized(self.sign_in("unknown"))

    def test_a_body_that_is_not_valid_is_not_counted(self):
        for _ in range(11):
            self.assert_problem(self.client.post(TOKEN, {"username": "amel"}), 400)
        self.assertFalse(ThrottleCount.objects.exists())

    def test_no_name_or_address_is_stored(self):
        self.fail(1, login="amel@example.com")
        for key in ThrottleCount.objects.values_list("key", flat=True):
            self.assertRegex(key, r"^[0-9a-f]{64}$")

    def test_wrong_guesses_of_the_present_password_are_failed_sign_ins(self):
        client, body = (
            client_of(self.user),
            {"password": "staple-battery-9", "current_password": "guess"},
        )
        for _ in range(10):
            self.assert_problem(client.patch(CREATE, body), 400)
        response = client.patch(CREATE, {**body, "current_password": PASSWORD})
        self.assert_problem(response, 429)
        self.assert_problem(self.sign_in(password=PASSWORD), 429)
        self.assertEqual(client.patch(CREATE, {"phone_number": ""}).status_code, 200)


class NewAccountThrottleTests(UsersTestCase):
    def create(self, number, **extra):
        body = {"username": f"u{number}", "email": f"u{number}@example.com", "password": PASSWORD}
        return self.client.post(CREATE, body, **extra)

    def test_the_sixty_first_new_account_from_an_address_is_refused(self):
        with at_second(SECOND):
            for number in range(60):
                self.assertEqual(self.create(number).status_code, 201)
            response = self.create(60)
            self.assert_problem(response, 429)
            self.assertEqual(response.headers["Retry-After"], "45")
            self.assertEqual(self.create(61, REMOTE_ADDR="192.0.2.9").status_code, 201)
        with at_second(SECOND + 60):
            self.assertEqual(self.create(62).status_code, 201)
        self.assertEqual(CustomUser.objects.count(), 62)

    def test_a_body_that_is_not_valid_is_not_counted(self):
        self.assert_problem(self.client.post(CREATE, {"username": "u"}), 400)
        self.assertFalse(ThrottleCount.objects.exists())
