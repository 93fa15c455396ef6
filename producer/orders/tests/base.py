"""What the orders' tests share."""

from typing import Any

from orders import services
from orders.models import Order
from users.models import CustomUser

# The example of the specification.
EXAMPLE = {
    "address": "Ariana Nkhilet",
    "phone_number": "+21658741196",
    "total_paid": 50,
    "currency": "TND",
    "items": [
        {"item_name": "item1", "price": 20, "quantity": 1},
        {"item_name": "item2", "price": 30, "quantity": 1},
    ],
}


def make_user(username: str = "amel", **values: Any) -> CustomUser:
    return CustomUser.objects.create_user(username, f"{username}@example.com", **values)


def make_order(user: CustomUser, **changes: Any) -> Order:
    """A pending order with two items, due to be sent now."""
    order, _ = services.place_order(user=user, data={**EXAMPLE, **changes})
    return order
