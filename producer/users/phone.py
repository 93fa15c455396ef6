"""A phone number as E.164 text, checked by django-phonenumber-field where it comes in.

The package's own fields give an object that is parsed at each reading and checked anew each time
it is written as text: eight times for one order.
"""

from typing import Any

from django.db.models.query_utils import DeferredAttribute
from phonenumber_field import modelfields, serializerfields


class PhoneNumberField(modelfields.PhoneNumberField):
    """The column: text when read, and when a valid number was set; forms check it as ever."""

    descriptor_class = DeferredAttribute

    def from_db_value(self, value: str, expression: Any, connection: Any) -> str:
        return value

    def get_prep_value(self, value: Any) -> Any:
        return value if isinstance(value, str) else super().get_prep_value(value)


class PhoneNumberInput(serializerfields.PhoneNumberField):
    """A body's field: its value is E.164 text. Raises ValidationError."""

    def to_internal_value(self, data: Any) -> str:
        number: str = super().to_internal_value(data).as_e164
        return number
