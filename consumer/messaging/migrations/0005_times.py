from django.db import migrations, models

from chassis.migration_operations import AddIndexOnline


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("messaging", "0004_large_tables")]

    operations = [
        AddIndexOnline(
            model_name="message",
            index=models.Index(fields=["created_at"], name="message_created"),
        ),
        AddIndexOnline(
            model_name="deliveryattempt",
            index=models.Index(fields=["at"], name="delivery_attempt_at"),
        ),
    ]
