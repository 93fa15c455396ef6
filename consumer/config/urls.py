from django.contrib import admin
from django.urls import include, path

from chassis import health

urlpatterns = [
    path("api/v1/consumer/", include("messaging.urls")),
    path("admin/", admin.site.urls),
    *health.urlpatterns,
]
