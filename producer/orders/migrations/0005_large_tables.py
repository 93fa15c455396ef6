from django.conf import settings
from django.db import migrations, models

from chassis.migration_operations import AddIndexOnline, DropPatternIndex


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("orders", "0004_phone_number_text"),
    ]

    operations = [
        AddIndexOnline(
            model_name="order",
            index=models.Index(fields=["currency", "id"], name="order_currency"),
        ),
        AddIndexOnline(
            model_name="order",
            index=models.Index(
                condition=models.Q(("status", "cancelled")),
                fields=["user", "id"],
                name="order_cancelled",
            ),
        ),
        AddIndexOnline(
            model_name="orderapikey",
            index=models.Index(fields=["expiry_date"], name="order_key_expiry"),
        ),
        AddIndexOnline(
            model_name="orderapikey",
            index=models.Index(
                condition=models.Q(("revoked", True)),
                fields=["created"],
                name="order_key_revoked",
            ),
        ),
        AddIndexOnline(
            model_name="sendattempt",
            index=models.Index(
                condition=models.Q(
                    ("status__lt", 200),
                    ("status__gt", 299),
                    ("status__isnull", True),
                    _connector="OR",
                ),
                fields=["id"],
                name="send_attempt_failed",
            ),
        ),
        DropPatternIndex("order", "order_key"),
        DropPatternIndex("orderapikey", "id"),
        DropPatternIndex("orderapikey", "prefix"),
        DropPatternIndex("taskresult", "task_id"),
        migrations.AlterField(
            model_name="order",
            name="user",
            field=models.ForeignKey(
                db_index=False,
                on_delete=models.deletion.PROTECT,
                related_name="orders",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
    ]
