
import campaigns.indexes
import django.core.validators
import django.db.models.deletion
import django.db.models.expressions
import django.db.models.functions.datetime
import django.db.models.functions.text
import django.db.models.lookups
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Campaign',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=200, verbose_name='name')),
                ('channel', models.CharField(choices=[('sms', 'SMS'), ('whatsapp', 'WhatsApp')], max_length=16, verbose_name='channel')),
                ('status', models.CharField(choices=[('draft', 'draft'), ('scheduled', 'scheduled'), ('sending', 'sending'), ('paused', 'paused'), ('sent', 'sent'), ('failed', 'failed'), ('cancelled', 'cancelled')], db_default='draft', default='draft', editable=False, max_length=16, verbose_name='status')),
                ('reason', models.CharField(blank=True, db_default='', default='', editable=False, help_text='Why it is where it is, when Clarion itself moved it.', max_length=64, verbose_name='reason')),
                ('base_template', models.TextField(blank=True, db_default='', default='', validators=[django.core.validators.MaxLengthValidator(5000)], verbose_name='text')),
                ('scheduled_at', models.DateTimeField(blank=True, null=True, verbose_name='scheduled at')),
                ('audience', models.JSONField(editable=False, help_text='Null until it is given, then {"kind": "list"} or {"kind": "all"}.', null=True, verbose_name='audience')),
                ('expected', models.PositiveIntegerField(db_default=0, default=0, editable=False, verbose_name='expected')),
                ('launching', models.BooleanField(db_default=False, default=False, editable=False, help_text='Whether a worker is still writing its messages.', verbose_name='launching')),
                ('launched_at', models.DateTimeField(editable=False, null=True, verbose_name='launched at')),
                ('started_at', models.DateTimeField(editable=False, null=True, verbose_name='started at')),
                ('ended_at', models.DateTimeField(editable=False, null=True, verbose_name='ended at')),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False, verbose_name='created at')),
                ('updated_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False, verbose_name='updated at')),
                ('created_by', models.ForeignKey(editable=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='created by')),
                ('launched_by', models.ForeignKey(editable=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='launched by')),
            ],
            options={
                'verbose_name': 'campaign',
                'verbose_name_plural': 'campaigns',
                'db_table': 'campaigns',
                'ordering': ['-id'],
                'permissions': [('send_campaign', 'Can send campaigns')],
            },
        ),
        migrations.CreateModel(
            name='CampaignProgress',
            fields=[
                ('campaign', models.OneToOneField(db_constraint=False, on_delete=django.db.models.deletion.DO_NOTHING, primary_key=True, related_name='progress', serialize=False, to='campaigns.campaign')),
                ('total', models.IntegerField(db_default=0, default=0, editable=False)),
                ('pending', models.IntegerField(db_default=0, default=0, editable=False)),
                ('sending', models.IntegerField(db_default=0, default=0, editable=False)),
                ('sent', models.IntegerField(db_default=0, default=0, editable=False)),
                ('delivered', models.IntegerField(db_default=0, default=0, editable=False)),
                ('read', models.IntegerField(db_default=0, default=0, editable=False)),
                ('failed', models.IntegerField(db_default=0, default=0, editable=False)),
                ('unknown', models.IntegerField(db_default=0, default=0, editable=False)),
                ('skipped', models.IntegerField(db_default=0, default=0, editable=False)),
                ('cancelled', models.IntegerField(db_default=0, default=0, editable=False)),
            ],
            options={
                'db_table': 'campaign_progress',
                'constraints': [models.CheckConstraint(condition=models.Q(('total', django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(models.F('pending'), '+', models.F('sending')), '+', models.F('sent')), '+', models.F('delivered')), '+', models.F('read')), '+', models.F('failed')), '+', models.F('unknown')), '+', models.F('skipped')), '+', models.F('cancelled')))), name='campaign_progress_equation')],
            },
        ),
        migrations.AddIndex(
            model_name='campaign',
            index=campaigns.indexes.LongNamedIndex(fields=['channel'], name='idx_campaigns_channel'),
        ),
        migrations.AddIndex(
            model_name='campaign',
            index=campaigns.indexes.LongNamedIndex(fields=['status'], name='idx_campaigns_status'),
        ),
        migrations.AddConstraint(
            model_name='campaign',
            constraint=models.CheckConstraint(condition=models.Q(('channel__in', ['sms', 'whatsapp'])), name='campaigns_channel'),
        ),
        migrations.AddConstraint(
            model_name='campaign',
            constraint=models.CheckConstraint(condition=models.Q(('status__in', ['draft', 'scheduled', 'sending', 'paused', 'sent', 'failed', 'cancelled'])), name='campaigns_status'),
        ),
        migrations.AddConstraint(
            model_name='campaign',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('status', 'scheduled'), _negated=True), ('scheduled_at__isnull', False), _connector='OR'), name='campaigns_scheduled_has_time'),
        ),
        migrations.AddConstraint(
            model_name='campaign',
            constraint=models.CheckConstraint(condition=django.db.models.lookups.LessThanOrEqual(django.db.models.functions.text.Length('base_template'), 5000), name='campaigns_base_template_length'),
        ),
    ]
