"""The outbox's promises, on orders."""

from django.test import TestCase, TransactionTestCase

from chassis.testing import OutboxContentionTests, OutboxTests
from orders import dispatch
from orders.tests.base import make_order, make_user


class OrderRows:
    changes = {"task_id": "3fa85f64"}

    def setUp(self):
        self.user = make_user()

    def make_row(self):
        return make_order(self.user)

    def due(self):
        return dispatch.DUE


class OrderOutboxTests(OrderRows, OutboxTests, TestCase):
    pass


class OrderContentionTests(OrderRows, OutboxContentionTests, TransactionTestCase):
    pass
