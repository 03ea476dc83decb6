# One image for web, worker, beat and migrations: the product and its locked packages, nothing that builds or tests.
FROM python:3.11-slim AS packages
COPY requirements.lock /requirements.lock
RUN python -m venv /opt/venv \
 && /opt/venv/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes --only-binary :all: \
      --requirement /requirements.lock \
 && /opt/venv/bin/python -m pip uninstall --yes --quiet pip setuptools

FROM python:3.11-slim
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    CLARION_VAR=/var/lib/clarion
# A number, so that an orchestrator can see that it is not root. The folder's owner is what a new volume inherits.
RUN groupadd --gid 10001 clarion \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/clarion clarion \
 && install -d -o 10001 -g 10001 -m 0750 /var/lib/clarion
COPY --from=packages /opt/venv /opt/venv
WORKDIR /app
COPY . .
# The three values are only read, not used: nothing is connected to while files are copied.
RUN SECRET_KEY=unused DATABASE_URL=postgresql:///unused REDIS_URL=redis://unused/0 python manage.py collectstatic --noinput
USER 10001:10001
EXPOSE 8000
CMD ["gunicorn", "config.wsgi", "--bind", "0.0.0.0:8000", "--worker-class", "gthread", "--workers", "2", "--threads", "8", \
     "--timeout", "60", "--limit-request-line", "8190", "--worker-tmp-dir", "/dev/shm", "--no-control-socket"]
