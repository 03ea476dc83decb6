
import campaigns.indexes
import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('campaigns', '0002_progress'),
        ('customers', '0002_attribute_names'),
    ]

    operations = [
        migrations.CreateModel(
            name='Launch',
            fields=[
                ('campaign', models.OneToOneField(db_constraint=False, on_delete=django.db.models.deletion.DO_NOTHING, primary_key=True, related_name='+', serialize=False, to='campaigns.campaign')),
                ('cursor', models.BigIntegerField(default=0, help_text='The highest customer id whose message is written.')),
                ('last_customer_id', models.BigIntegerField(help_text='The highest customer id when the launch began.')),
            ],
            options={
                'db_table': 'launches',
            },
        ),
        migrations.CreateModel(
            name='Alert',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('code', models.CharField(max_length=64)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('told', models.BooleanField(db_default=False, default=False)),
                ('claimed_until', models.DateTimeField(help_text='Until then somebody is telling it.', null=True)),
                ('campaign', models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='campaigns.campaign')),
            ],
            options={
                'db_table': 'campaign_alerts',
                'indexes': [models.Index(condition=models.Q(('told', False)), fields=['id'], name='campaign_alerts_waiting')],
                'constraints': [models.UniqueConstraint(condition=models.Q(('code', 'retries_exhausted')), fields=('campaign', 'code'), name='campaign_alerts_once')],
            },
        ),
        migrations.CreateModel(
            name='MessageBatch',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('provider', models.CharField(max_length=64)),
                ('first_id', models.BigIntegerField()),
                ('last_id', models.BigIntegerField()),
                ('due_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), help_text='The earliest due time of its pending messages.')),
                ('lease', models.UUIDField(null=True)),
                ('leased_until', models.DateTimeField(null=True)),
                ('campaign', models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='campaigns.campaign')),
            ],
            options={
                'db_table': 'message_batches',
                'constraints': [models.CheckConstraint(condition=models.Q(models.Q(('lease__isnull', True), ('leased_until__isnull', True)), models.Q(('lease__isnull', False), ('leased_until__isnull', False)), _connector='OR'), name='message_batches_lease'), models.CheckConstraint(condition=models.Q(('first_id__lte', models.F('last_id'))), name='message_batches_range')],
            },
        ),
        migrations.CreateModel(
            name='OutboundMessage',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('status', models.CharField(choices=[('pending', 'pending'), ('sending', 'sending'), ('sent', 'sent'), ('delivered', 'delivered'), ('read', 'read'), ('failed', 'failed'), ('unknown', 'unknown'), ('skipped', 'skipped'), ('cancelled', 'cancelled')], db_default='pending', default='pending', max_length=16, verbose_name='status')),
                ('reason', models.CharField(help_text='A code of `Reason`.', max_length=64, null=True, verbose_name='reason')),
                ('address', models.CharField(help_text='The number as it was at launch.', max_length=32, verbose_name='address')),
                ('rendered_content', models.TextField(verbose_name='text')),
                ('parts', models.PositiveSmallIntegerField(db_default=1, default=1, verbose_name='parts')),
                ('retry_count', models.IntegerField(db_default=0, default=0, verbose_name='retries')),
                ('last_error', models.TextField(db_default='', default='', verbose_name='last error')),
                ('provider', models.CharField(db_default='', default='', max_length=64, verbose_name='provider')),
                ('provider_message_id', models.CharField(db_default='', default='', max_length=255, verbose_name="provider's id")),
                ('due_at', models.DateTimeField(help_text='Not before this time; null: at once.', null=True, verbose_name='due at')),
                ('expires_at', models.DateTimeField(null=True, verbose_name='expires at')),
                ('sent_at', models.DateTimeField(null=True, verbose_name='sent at')),
                ('delivered_at', models.DateTimeField(null=True, verbose_name='delivered at')),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name='created at')),
                ('updated_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name='updated at')),
                ('campaign', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='campaigns.campaign', verbose_name='campaign')),
                ('customer', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='customers.customer', verbose_name='customer')),
            ],
            options={
                'verbose_name': 'message',
                'verbose_name_plural': 'messages',
                'db_table': 'outbound_messages',
                'ordering': ['-id'],
                'indexes': [campaigns.indexes.LongNamedIndex(fields=['campaign', 'id'], name='idx_outbound_messages_campaign_id'), campaigns.indexes.LongNamedIndex(fields=['customer'], name='idx_outbound_messages_customer_id'), campaigns.indexes.LongNamedIndex(fields=['status', 'campaign', 'id'], name='idx_outbound_messages_status'), campaigns.indexes.LongNamedIndex(condition=models.Q(('provider_message_id', ''), _negated=True), fields=['provider_message_id'], name='idx_outbound_messages_provider_message_id')],
                'constraints': [models.UniqueConstraint(fields=('campaign', 'customer'), name='outbound_messages_campaign_customer_key'), models.CheckConstraint(condition=models.Q(('status__in', ['pending', 'sending', 'sent', 'delivered', 'read', 'failed', 'unknown', 'skipped', 'cancelled'])), name='outbound_messages_status'), models.CheckConstraint(condition=models.Q(models.Q(('status__in', ('skipped', 'failed', 'unknown', 'cancelled')), ('reason__isnull', False)), models.Q(('status__in', ('sending', 'sent', 'delivered', 'read')), ('reason__isnull', True)), ('status', 'pending'), _connector='OR'), name='outbound_messages_reason'), models.CheckConstraint(condition=models.Q(('retry_count__gte', 0)), name='outbound_messages_retry_count')],
            },
        ),
    ]
