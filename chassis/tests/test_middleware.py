"""Sessions, messages and CSRF are the admin's alone."""

from unittest import TestCase
from unittest.mock import Mock

from django.http import HttpResponse
from django.test import RequestFactory

from chassis import middleware

ALL = [
    middleware.AdminSessionMiddleware,
    middleware.AdminCommonMiddleware,
    middleware.AdminCsrfViewMiddleware,
    middleware.AdminAuthenticationMiddleware,
    middleware.AdminMessageMiddleware,
]


class MiddlewareTests(TestCase):
    def passed(self, path, kinds=ALL):
        """The request as the view sees it."""
        get_response = Mock(return_value=HttpResponse())
        for kind in reversed(kinds):
            get_response = kind(get_response)
        request = RequestFactory().post(path)
        get_response(request)
        return request

    def test_an_api_call_has_none_of_them(self):
        request = self.passed("/api/v1/data/orders/")
        for name in ("session", "user", "_messages"):
            self.assertFalse(hasattr(request, name), name)

    def test_an_admin_page_has_all(self):
        request = self.passed("/admin/login/")
        for name in ("session", "user", "_messages"):
            self.assertTrue(hasattr(request, name), name)

    def test_a_form_of_the_admin_needs_its_csrf_token_and_an_api_call_does_not(self):
        csrf = middleware.AdminCsrfViewMiddleware(Mock(return_value=HttpResponse()))
        view = Mock(csrf_exempt=False)
        for path, refused in (("/admin/login/", True), ("/api/v1/data/orders/", False)):
            request = RequestFactory(enforce_csrf_checks=True).post(path)
            answer = csrf.process_view(request, view, (), {})
            self.assertEqual(answer is not None and answer.status_code == 403, refused)
