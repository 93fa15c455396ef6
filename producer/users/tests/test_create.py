import json

from django.test import override_settings

from users.models import CustomUser
from users.tests.base import CREATE, ME, PASSWORD, TOKEN, YAHYA, UsersTestCase, client_of, make_user


class CreateTests(UsersTestCase):
    def create(self, **changes):
        body = {**YAHYA, **changes}
        return self.client.post(CREATE, {k: v for k, v in body.items() if v is not ...})

    def test_the_example_of_the_specification_creates_an_account(self):
        response = self.create()
        self.assertEqual(response.status_code, 201)
        body = response.json()
        self.assertEqual(set(body), {"id", "username", "email", "phone_number", "date_joined"})
        self.assertEqual(body["username"], "yahya")
        self.assertEqual(body["email"], "mlaouhi.yahya@gmail.com")
        self.assertEqual(body["phone_number"], "+21658741196")
        self.assertTrue(body["date_joined"].endswith("Z"))

    def test_the_password_is_stored_as_a_hash(self):
        self.create()
        user = CustomUser.objects.get()
        self.assertNotIn(YAHYA["password"], user.password)
        self.assertTrue(user.check_password(YAHYA["password"]))

    def test_a_path_answers_with_its_last_slash_too(self):
        self.assertEqual(self.client.post(CREATE + "/", YAHYA).status_code, 201)
        self.assertEqual(self.client.post(TOKEN + "/", YAHYA).status_code, 200)
        self.assertEqual(client_of(CustomUser.objects.get()).get(ME + "/").status_code, 200)

    def test_a_phone_number_is_optional_and_kept_in_e164(self):
        for number, kept in ((..., ""), ("", ""), (None, ""), ("+216 58 741 196", "+21658741196")):
            with self.subTest(number=number):
                response = self.create(phone_number=number)
                self.assertEqual(response.status_code, 201, response.content)
                self.assertEqual(response.json()["phone_number"], kept)
                CustomUser.objects.all().delete()

    def test_what_is_missing_or_wrong_is_named(self):
        cases = [
            ({"username": ...}, ("username", "required")),
            ({"username": ""}, ("username", "blank")),
            ({"username": None}, ("username", "null")),
            ({"username": ["yahya"]}, ("username", "invalid")),
            ({"username": "yahya@home"}, ("username", "invalid")),
            ({"username": "yah ya"}, ("username", "invalid")),
            ({"username": "yahya\u0000"}, ("username", "null_characters_not_allowed")),
            ({"username": "y" * 151}, ("username", "max_length")),
            (
                {"username": "\ufdfa" * 10},
                ("username", "invalid"),
            ),  # 180 characters, once normalised
            ({"email": ...}, ("email", "required")),
            ({"email": ""}, ("email", "blank")),
            ({"email": "yahya"}, ("email", "invalid")),
            ({"email": f"{'y' * 64}@{'long.' * 40}example.com"}, ("email", "max_length")),
            ({"password": ...}, ("password", "required")),
            ({"password": "p" * 129}, ("password", "max_length")),
            ({"phone_number": "555-1234"}, ("phone_number", "invalid")),
            ({"phone_number": "+2160"}, ("phone_number", "invalid")),
        ]
        for changes, error in cases:
            with self.subTest(changes=changes):
                response = self.create(**changes)
                self.assert_problem(response, 400)
                errors = response.json()["errors"]
                self.assertIn(error, [(e["field"], e["code"]) for e in errors])
        self.assertFalse(CustomUser.objects.exists())

    def test_half_a_character_is_refused(self):
        body = json.dumps({**YAHYA, "password": "Kx7-\ud800pqrs"})
        response = self.client.post(CREATE, body.encode(), content_type="application/json")
        self.assert_problem(response, 400)

    def test_each_of_the_password_validators_is_asked(self):
        cases = [
            ("kQ7-x", "password_too_short"),
            ("password1", "password_too_common"),
            ("739105824617", "password_entirely_numeric"),
            ("yahya.mlaouhi", "password_too_similar"),
        ]
        for password, code in cases:
            with self.subTest(password=password):
                response = self.create(username="yahya.mlaouhi", password=password)
                self.assert_invalid(response, ("password", code))

    def test_every_wrong_field_is_named_at_once(self):
        response = self.client.post(CREATE, {"username": "a b", "email": "x"})
        expected = [("username", "invalid"), ("email", "invalid"), ("password", "required")]
        self.assert_invalid(response, *expected)

    def test_read_only_and_unknown_fields_are_ignored(self):
        response = self.create(
            id=7777, date_joined="2001-01-01T00:00:00Z", is_staff=True, is_superuser=True, x=1
        )
        self.assertEqual(response.status_code, 201)
        user = CustomUser.objects.get()
        self.assertNotEqual(user.pk, 7777)
        self.assertGreater(user.date_joined.year, 2001)
        self.assertFalse(user.is_staff or user.is_superuser)

    def test_a_taken_username_or_email_is_named_whatever_the_emails_case(self):
        make_user("yahya", email="Mlaouhi.Yahya@Gmail.com")
        self.assert_invalid(self.create(), ("username", "unique"), ("email", "unique"))
        self.assert_invalid(self.create(username="other"), ("email", "unique"))
        self.assert_invalid(self.create(email="other@gmail.com"), ("username", "unique"))
        self.assertEqual(CustomUser.objects.count(), 1)

    def test_a_username_that_normalises_to_a_taken_one_is_taken(self):
        make_user("yahya")
        self.assert_invalid(self.create(username="\uff59ahya"), ("username", "unique"))

    def test_anyone_may_create_whatever_token_comes_along(self):
        for authorization in ("Token wrong", "Api-Key x.y", "Token", "Bearer a"):
            with self.subTest(authorization=authorization):
                response = self.client.post(CREATE, YAHYA, HTTP_AUTHORIZATION=authorization)
                self.assertEqual(response.status_code, 201)
                CustomUser.objects.all().delete()

    def test_only_a_json_object_is_taken(self):
        for content_type in (
            "application/x-www-form-urlencoded",
            "multipart/form-data",
            "text/plain",
        ):
            with self.subTest(content_type=content_type):
                response = self.client.post(CREATE, "username=yahya", content_type=content_type)
                self.assert_problem(response, 415)
        for body in ("", "{", "[" * 50000, '"text"', "[]", "null", "\xff"):
            with self.subTest(body=body[:9]):
                response = self.client.post(
                    CREATE, body.encode("latin-1"), content_type="application/json"
                )
                self.assert_problem(response, 400)
        large = b'{"username": "' + b"y" * 2**20 + b'"}'
        response = self.client.post(CREATE, large, content_type="application/json")
        self.assert_problem(response, 413)

    def test_get_is_not_allowed(self):
        self.assert_unauthorized(self.client.get(CREATE))
        response = client_of(make_user()).get(CREATE)
        self.assert_problem(response, 405)
        self.assertEqual(
            set(response.headers["Allow"].split(", ")) - {"OPTIONS"},
            {"POST", "PUT", "PATCH", "DELETE"},
        )

    @override_settings(DEBUG=True)
    def test_errors_are_the_same_with_debug_on(self):
        self.assert_problem(self.client.post(CREATE, {}), 400)
        self.assert_unauthorized(self.client.get(ME))

    def test_the_password_is_in_no_answer(self):
        answers = [self.create(), self.create(), self.create(password="short")]
        answers.append(self.client.post(TOKEN, YAHYA))
        answers.append(client_of(make_user()).put(CREATE, {**YAHYA, "current_password": PASSWORD}))
        for answer in answers:
            self.assertNotIn(YAHYA["password"], answer.content.decode())
            self.assertNotIn("pbkdf2", answer.content.decode())
