"""The admin's sign-in form of both services, throttled like every other sign-in."""

from typing import Any

from django.core.exceptions import ValidationError
from rest_framework.exceptions import Throttled
from unfold.forms import AuthenticationForm

from chassis import throttle
from chassis.counts import Count


class AdminLoginForm(AuthenticationForm):
    """A service's subclass names its table of counts; hook it with `admin.site.login_form = …`."""

    counts: type[Count]

    def account(self, login: str) -> str:
        """What stands for the account that `login` names."""
        return login

    def clean(self) -> dict[str, Any]:
        login, password = self.cleaned_data.get("username"), self.cleaned_data.get("password")
        if self.request is None or not login or not password:
            return super().clean()
        address, account = throttle.address(self.request), self.account(login)
        try:
            with throttle.sign_in(self.counts, address=address, account=account):
                return super().clean()
        except Throttled as error:
            raise ValidationError(str(error.detail), code="throttled") from error
