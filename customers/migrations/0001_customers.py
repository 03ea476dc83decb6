
import customers.attributes
import customers.phones
import customers.places
import django.core.validators
import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
    ]

    operations = [
        migrations.CreateModel(
            name='CustomerAttribute',
            fields=[
                ('name', models.CharField(max_length=150, primary_key=True, serialize=False)),
            ],
            options={
                'db_table': 'customer_attributes',
            },
        ),
        migrations.CreateModel(
            name='Customer',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('phone', models.CharField(help_text='In international form, for example +254712345678.', max_length=32, validators=[customers.phones.validate_e164], verbose_name='phone')),
                ('first_name', models.CharField(blank=True, db_default='', default='', max_length=150, verbose_name='first name')),
                ('last_name', models.CharField(blank=True, db_default='', default='', max_length=150, verbose_name='last name')),
                ('location', models.CharField(blank=True, db_default='', default='', max_length=150, verbose_name='location')),
                ('preferred_product', models.CharField(blank=True, db_default='', default='', max_length=150, verbose_name='preferred product')),
                ('attributes', models.JSONField(blank=True, db_default=models.Value({}, models.JSONField()), default=dict, help_text='Any further fields, usable in templates; names in snake_case.', validators=[customers.attributes.validate_attributes], verbose_name='attributes')),
                ('language', models.CharField(blank=True, db_default='', default='', help_text='A BCP 47 tag such as “sw” or “en-KE”.', max_length=35, validators=[customers.places.validate_language], verbose_name='language')),
                ('time_zone', models.CharField(blank=True, db_default='', default='', help_text='An IANA name such as “Africa/Nairobi”, if the customer gave one.', max_length=64, validators=[customers.places.validate_time_zone], verbose_name='time zone')),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False, verbose_name='created at')),
                ('updated_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False, verbose_name='updated at')),
            ],
            options={
                'verbose_name': 'customer',
                'verbose_name_plural': 'customers',
                'db_table': 'customers',
                'ordering': ['-id'],
                'constraints': [models.UniqueConstraint(fields=('phone',), name='idx_customers_phone', violation_error_code='phone_taken', violation_error_message='Another customer already has this phone number.'), models.CheckConstraint(condition=models.Q(('phone__regex', '^\\+[1-9][0-9]{6,14}$')), name='customers_phone_e164', violation_error_message='The phone number is not in E.164.')],
            },
        ),
        migrations.CreateModel(
            name='OptOut',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('channel', models.CharField(choices=[('sms', 'SMS'), ('whatsapp', 'WhatsApp')], max_length=16, verbose_name='channel')),
                ('phone', models.CharField(max_length=32, validators=[django.core.validators.RegexValidator('^\\+[1-9][0-9]{6,14}$')], verbose_name='phone')),
                ('source', models.CharField(help_text='How we learnt of it, e.g. “reply”.', max_length=64, verbose_name='source')),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False, verbose_name='created at')),
            ],
            options={
                'verbose_name': 'opt-out',
                'verbose_name_plural': 'opt-outs',
                'db_table': 'opt_outs',
                'ordering': ['-id'],
                'constraints': [models.UniqueConstraint(fields=('phone', 'channel'), name='opt_outs_phone_channel_key', violation_error_message='This number has already opted out of this channel.'), models.CheckConstraint(condition=models.Q(('channel__in', ['sms', 'whatsapp'])), name='opt_outs_channel'), models.CheckConstraint(condition=models.Q(('phone__regex', '^\\+[1-9][0-9]{6,14}$')), name='opt_outs_phone_e164')],
            },
        ),
    ]
