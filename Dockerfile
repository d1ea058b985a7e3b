# Two stages: what is needed to build stays behind. scripts/run and this file install the same requirements.

FROM python:3.13-slim-bookworm AS build
WORKDIR /app
COPY requirements.txt requirements-postgresql.txt ./
RUN python -m venv --without-pip /venv \
    && pip --disable-pip-version-check --python /venv/bin/python install --no-cache-dir -r requirements.txt -r requirements-postgresql.txt
# The charts' library, checked against its hashes.
COPY assets/package.json assets/package-lock.json assets/manifest.json ./assets/
COPY scripts/assets.py ./scripts/
RUN python scripts/assets.py

FROM python:3.13-slim-bookworm
LABEL org.opencontainers.image.title="Codex Quota" \
      org.opencontainers.image.description="Watches the ChatGPT Codex quota of all your accounts" \
      org.opencontainers.image.licenses="MIT"
# docker/bin has a `flask` that drops root, as the service itself does. Nothing is written beside the code when it runs.
ENV PATH=/app/docker/bin:/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    QUOTA_STATE_FILE=/app/instance/codex_quota_web_results.json
WORKDIR /app
COPY --from=build /venv /venv
COPY migrations ./migrations
COPY quota_web ./quota_web
COPY docker ./docker
COPY scripts/quota ./scripts/
COPY codex_quota.py codex_quota_service.py gunicorn.conf.py wsgi.py LICENSE ./
COPY --from=build /app/quota_web/web/static/vendor ./quota_web/web/static/vendor
# Compiled here: with a read-only file system, or as another user, it could not be done later. A new volume takes over the
# rights of the folder under it: with `--user`, anybody may be who writes there. The entrypoint makes it private to its owner.
RUN python -m compileall -q /app/quota_web /app/migrations \
    && chmod 755 docker/bin/flask scripts/quota \
    && mkdir -p account instance \
    && chmod 777 instance
EXPOSE 8081
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --retries=3 CMD ["python", "/app/docker/health.py"]
ENTRYPOINT ["python", "/app/docker/entrypoint.py"]
CMD ["gunicorn", "--bind", "0.0.0.0:8081", "wsgi:app"]
