# One image for everything (the last stage: `docker build .`), and a small one for proxies alone
# (`docker build --target proxy .`). Builds on any Debian with Python 3.11 or newer, on amd64 and arm64.
ARG BASE=debian:trixie-slim

# --- what every image stands on ---------------------------------------------------------------
FROM ${BASE} AS python
# Versions are the distribution's: it alone mends them.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates python3 tini \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/apt /var/log/dpkg.log

# --- the program with all it imports, in a virtual environment without pip ----------------------
FROM python AS build
# hadolint ignore=DL3008,DL3009
RUN apt-get update && apt-get install -y --no-install-recommends python3-venv
WORKDIR /build
COPY requirements.txt ./
RUN python3 -m venv pip \
    && python3 -m venv --without-pip /opt/freeaichat \
    && pip/bin/pip --python /opt/freeaichat/bin/python install --no-cache-dir --require-hashes -r requirements.txt
COPY pyproject.toml README.md LICENSE ./
COPY harvester harvester
COPY proxy proxy
COPY shared shared
RUN pip/bin/pip --python /opt/freeaichat/bin/python install --no-cache-dir --no-deps .

# --- the same without what only visits need -------------------------------------------------------
FROM build AS build-proxy
RUN pip/bin/pip --python /opt/freeaichat/bin/python uninstall -y apscheduler greenlet playwright tzlocal

# --- what both images have in common ----------------------------------------------------------------
FROM python AS service
ARG VERSION=0.2.0
LABEL org.opencontainers.image.title="freeaichat-2api" \
      org.opencontainers.image.description="OpenAI-compatible APIs for free AI chats on WordPress sites" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}"
RUN useradd --uid 1000 --user-group --no-create-home --home-dir /data --shell /usr/sbin/nologin freeaichat \
    && install -d -o freeaichat -g freeaichat -m 0700 /data \
    && install -d /etc/freeaichat
ENV PATH=/opt/freeaichat/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONUNBUFFERED=1 \
    FREEAICHAT_DATA_DIR=/data \
    FREEAICHAT_ENV_FILE=/etc/freeaichat/.env \
    FREEAICHAT_HOST=0.0.0.0 \
    FREEAICHAT_PORT=8080
WORKDIR /data
VOLUME /data
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s \
    CMD ["python", "-c", "import http.client as h, os, sys; c = h.HTTPConnection('127.0.0.1', int(os.environ['FREEAICHAT_PORT']), timeout=4); c.request('GET', '/healthz'); sys.exit(c.getresponse().status != 200)"]
ENTRYPOINT ["tini", "--", "freeaichat"]

# --- proxies alone: no browser -------------------------------------------------------------------------
FROM service AS proxy
COPY --from=build-proxy /opt/freeaichat /opt/freeaichat
USER 1000:1000
CMD ["proxy"]

# --- everything --------------------------------------------------------------------------------------------
FROM service AS everything
# What the browser's packages bring for graphics cards and for developers of graphics drivers is a third of their size,
# and a headless browser never loads it. Playwright's driver needs libatomic1.
# hadolint ignore=DL3008
RUN printf 'path-exclude /usr/lib/*/%s\n' \
        'libLLVM*' 'libz3*' 'libgallium*' 'dri/*' libVkLayer_khronos_validation.so libVkICD_mock_icd.so \
        > /etc/dpkg/dpkg.cfg.d/no-graphics-cards \
    && apt-get update \
    && apt-get install -y --no-install-recommends chromium-headless-shell libatomic1 \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/apt /var/log/dpkg.log
COPY --from=build /opt/freeaichat /opt/freeaichat
USER 1000:1000
CMD ["up"]
