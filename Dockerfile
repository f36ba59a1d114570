# The server for a team: MCP over HTTP on port 8000. It authenticates callers and does not start without
# MCP_BEARER_TOKEN, or MCP_JWT_ISSUER and MCP_JWT_AUDIENCE. See docs/deploy.md.
FROM python:3.13-slim AS build
RUN pip install --no-cache-dir --disable-pip-version-check uv
WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY server ./server
# Exactly the versions that were tested, each checked against its hash. Compiled here, because the running container
# cannot write bytecode, and without it every start takes almost twice as long.
RUN uv venv --python /usr/local/bin/python /opt/app \
 && uv pip install --python /opt/app/bin/python --no-cache --compile-bytecode --constraints constraints.txt \
    --build-constraints constraints.txt ".[otel,redis]"

FROM python:3.13-slim
LABEL io.modelcontextprotocol.server.name="io.github.OWNER/tiktok-pinned-videos-mcp" \
      org.opencontainers.image.title="tiktok-pinned-videos-mcp" \
      org.opencontainers.image.description="Which videos a TikTok account has pinned, how they perform and what changed (TikTok Research API)" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.source="https://repository.invalid/tiktok-pinned-videos-mcp"
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin app \
 && install --directory --owner=app --group=app /data
COPY --from=build /opt/app /opt/app
ENV PATH=/opt/app/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    LOG_FORMAT=json \
    TIKTOK_STATE=sqlite:////data/state.sqlite3
# The day's quota count, answers and history. Replicas share a Redis instead (TIKTOK_STATE=redis://…).
VOLUME /data
USER 10001
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=4s --start-period=10s CMD ["python", "-c", "import http.client as h; c = h.HTTPConnection('127.0.0.1', 8000, timeout=3); c.request('GET', '/healthz'); raise SystemExit(c.getresponse().status != 200)"]
CMD ["tiktok-pinned-videos-mcp", "http", "--host", "0.0.0.0"]
