# One image for every role: web, worker, coordinator, agents and the one-shot that migrates.
FROM python:3.12-slim AS build
WORKDIR /app
COPY requirements/server.txt requirements/server.txt
RUN python -m venv /opt/claw \
    && /opt/claw/bin/pip install --no-cache-dir --disable-pip-version-check --no-deps --require-hashes \
       -r requirements/server.txt

FROM python:3.12-slim
RUN useradd --system --uid 10001 --create-home --shell /usr/sbin/nologin claw \
    && install -d -o claw -g claw -m 700 /data
COPY --from=build /opt/claw /opt/claw
WORKDIR /app
COPY manage.py ./
COPY agents agents
COPY clawgroups clawgroups
COPY static static
COPY templates templates
COPY locale locale
ENV PATH=/opt/claw/bin:$PATH \
    PYTHONPATH=/app \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    CLAWGROUPS_DATA=/data \
    DJANGO_SETTINGS_MODULE=clawgroups.settings
USER claw
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGTERM
CMD ["python", "-m", "clawgroups.server", "--host", "0.0.0.0", "--port", "8000"]
