from django.db import migrations, models

from chassis.migration_operations import AddIndexOnline


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("django_celery_results", "0014_alter_taskresult_status"),
        ("messaging", "0003_dashboard"),
    ]

    operations = [
        AddIndexOnline(
            model_name="message",
            index=models.Index(
                condition=models.Q(("state", "gone")), fields=["id"], name="message_gone"
            ),
        ),
        AddIndexOnline(
            model_name="taskapikey",
            index=models.Index(fields=["expiry_date"], name="task_key_expiry"),
        ),
        AddIndexOnline(
            model_name="taskapikey",
            index=models.Index(
                condition=models.Q(("revoked", True)),
                fields=["created"],
                name="task_key_revoked",
            ),
        ),
        AddIndexOnline(
            model_name="deliveryattempt",
            index=models.Index(
                condition=models.Q(
                    ("status__lt", 200),
                    ("status__gt", 299),
                    ("status__isnull", True),
                    _connector="OR",
                ),
                fields=["id"],
                name="delivery_attempt_failed",
            ),
        ),
    ]
