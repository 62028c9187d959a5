# The worker as an image.
#
#     docker build --tag penstock:local .
#     docker build --tag penstock:train --target train .      # the same with scikit-learn, to train models
#
# Everything comes from the locks in requirements/, each file checked against its hash.
#
# Not yet tried on a Docker engine. tests/project/test_containers_run.py runs what RUN says of the stages
# `build` and `build-train`, starts the worker from what they install, and asks it the HEALTHCHECK.

FROM python:3.13-slim AS build
ENV UV_COMPILE_BYTECODE=1
WORKDIR /build
COPY requirements/uv.txt requirements/demo.txt requirements/
RUN pip install --no-cache-dir --require-hashes --only-binary :all: --requirement requirements/uv.txt
COPY pyproject.toml README.md LICENSE ./
COPY api/ api/
COPY broker/ broker/
COPY cli/ cli/
COPY consumer/ consumer/
COPY core/ core/
COPY producer/ producer/
COPY schemas/ schemas/
COPY transport/ transport/
RUN uv build --wheel --out-dir wheels --build-constraints requirements/demo.txt --require-hashes
# The lock is for every extra; as constraints, it pins and checks what this one needs, and leaves out the rest.
RUN python -m venv --without-pip /opt/penstock \
    && uv pip install --python /opt/penstock --constraint requirements/demo.txt --no-build "$(echo wheels/*.whl)[worker]"

FROM build AS build-train
RUN uv pip install --python /opt/penstock --constraint requirements/demo.txt --no-build \
        "$(echo wheels/*.whl)[worker,train]"

FROM python:3.13-slim AS runtime
# A number that is no user of the host. /service is the project: penstock.toml, models/ and the rest.
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin penstock \
    && install --directory --owner penstock --group penstock /service
ENV PATH=/opt/penstock/bin:$PATH
# ONNX Runtime sends what it calls telemetry to its maker unless it finds this.
ENV ORT_DISABLE_TELEMETRY=1
WORKDIR /service
USER 10001:10001
ENTRYPOINT ["penstock"]

FROM runtime AS train
COPY --from=build-train /opt/penstock /opt/penstock

FROM runtime AS worker
COPY --from=build /opt/penstock /opt/penstock
# Probes come from outside of the container. A variable wins over penstock.toml.
ENV PENSTOCK_HTTP__HOST=0.0.0.0
EXPOSE 8090
# Without a proxy, for a proxy's variables reach containers too. Of several processes it asks the first.
HEALTHCHECK --interval=5s --timeout=5s --start-period=60s --retries=3 CMD ["python", "-c", \
    "from urllib.request import ProxyHandler, build_opener; build_opener(ProxyHandler({})).open('http://127.0.0.1:8090/health/ready', timeout=4)"]
# What was taken in is answered and committed first: allow worker.shutdown_timeout_s (30 s) and 10 s more.
STOPSIGNAL SIGTERM
CMD ["worker"]
