from django.contrib import admin
from django.urls import include, path

from chassis import health

urlpatterns = [
    path("api/v1/users/", include("users.urls")),
    path("api/v1/data/", include("orders.urls")),
    path("admin/", admin.site.urls),
    *health.urlpatterns,
]
