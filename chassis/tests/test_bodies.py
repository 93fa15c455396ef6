"""Request bodies: how much is read, and what is JSON."""

import io
from unittest import TestCase

from rest_framework.exceptions import ParseError

from chassis.bodies import MAX_BODY, MAX_DEPTH, MAX_READ, TooLarge, parse_json, read_body

MIB = 2**20


class Sent(io.RawIOBase):
    """A body of so many bytes, that counts how many of them are read."""

    def __init__(self, size):
        self.size, self.taken = size, 0

    def read(self, size=-1):
        assert size >= 0, "a body is read in bounded parts"
        part = min(size, self.size - self.taken)
        self.taken += part
        return b"x" * part


class ReadTests(TestCase):
    def test_a_body_of_1_mib_is_read(self):
        self.assertEqual(len(read_body(Sent(MAX_BODY))), MIB)
        self.assertEqual(read_body(Sent(0)), b"")

    def test_a_larger_one_is_read_to_its_end_before_it_is_refused(self):
        for size in (MIB + 1, 2 * MIB, 8 * MIB):
            body = Sent(size)
            with self.subTest(size), self.assertRaises(TooLarge):
                read_body(body)
            self.assertEqual(body.taken, size)

    def test_but_no_more_than_8_mib_of_it(self):
        body = Sent(100 * MIB)
        with self.assertRaises(TooLarge):
            read_body(body)
        self.assertEqual((body.taken, MAX_READ), (8 * MIB, 8 * MIB))


class ParseTests(TestCase):
    def test_json_is_read(self):
        for text, value in {
            '{"a": [1, 2.5, "x", null, true]}': {"a": [1, 2.5, "x", None, True]},
            '"\\ud83d\\ude9a"': "🚚",
            '" شارع "': " شارع ",
            " 1 ": 1,
            "-0.0": 0.0,
            "1e-999": 0.0,
        }.items():
            self.assertEqual(parse_json(text.encode()), value)

    def test_everything_else_is_refused(self):
        for body in (
            b"", b" ", b"{", b"x", b"{'a': 1}", b"[1,]", b"01", b"1 2", b"\xff", b"\xef\xbb\xbf1",
            "1".encode("utf-16"), b"NaN", b"Infinity", b"-Infinity", b"1e999", b"-1e999",
            b'{"a": NaN}', b"9" * 5000, b'"a\nb"', b'"\\ud800"', b'{"\\uDFFF": 1}', b'["\\ud83d"]',
        ):  # fmt: skip
            with self.subTest(body[:20]), self.assertRaises(ParseError):
                parse_json(body)

    def test_32_levels_are_taken_and_33_are_not(self):
        for opening, closing in ((b"[", b"]"), (b'{"a":', b"}"), (b'[{"a":', b"}]")):
            per = opening.count(b"[") + opening.count(b"{")
            with self.subTest(opening):
                deep = MAX_DEPTH // per
                parse_json(opening * deep + b"1" + closing * deep)
                with self.assertRaises(ParseError):
                    parse_json(opening * (deep + 1) + b"1" + closing * (deep + 1))

    def test_depth_is_found_wherever_it_is(self):
        deep = b"[" * 33 + b"]" * 33
        for body in (b'{"a": 1, "b": %s}', b"[1, {}, %s, []]", b'[[], [{"x": %s}]]'):
            with self.subTest(body), self.assertRaises(ParseError):
                parse_json(body % deep)

    def test_many_brackets_side_by_side_are_not_deep(self):
        self.assertEqual(len(parse_json(b"[" + b"{}," * 5000 + b"[]]")), 5001)
        self.assertEqual(parse_json(b'"' + b"[" * 100 + b'"'), "[" * 100)

    def test_any_depth_is_refused_without_a_server_error(self):
        for depth in (1000, 50_000, MIB // 2):
            with self.subTest(depth), self.assertRaisesRegex(ParseError, "nested deeper than 32"):
                parse_json(b"[" * depth + b"]" * depth)
