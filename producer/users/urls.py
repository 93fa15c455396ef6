from chassis.api import endpoint
from users import views

urlpatterns = [
    endpoint("create", views.AccountView.as_view(), name="users-create"),
    endpoint("token", views.TokenView.as_view(), name="users-token"),
    endpoint("me", views.MeView.as_view(), name="users-me"),
]
