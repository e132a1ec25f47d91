# The function behind HTTP, for Knative platforms other than VAST, and for laptops. VAST's own builder does not read this file:
# `vastde functions build` makes its image from the same folders and requirements.txt. What does not ship, .dockerignore keeps out.
#   docker build --build-arg BASE=python:3.12-slim -t exr-inspector .
#   docker run --read-only --tmpfs /tmp -p 8080:8080 --env-file settings.env exr-inspector
# `scripts/image` builds it, and tries it, on a machine without Docker. BASE needs Python 3.11 or later with the module venv.
ARG BASE=python:3.12-slim

FROM ${BASE} AS packages
COPY requirements.txt constraints.txt /tmp/build/
# What the packages bring for their own tests and builds, and botocore's descriptions of services other than S3, is half of them.
RUN python3 -m venv /opt/python \
    && cd /tmp/build \
    && /opt/python/bin/python -m pip install --no-cache-dir --disable-pip-version-check -c constraints.txt \
        -r requirements.txt cloudevents prometheus-client uvicorn \
    && /opt/python/bin/python -m pip uninstall --yes --quiet pip setuptools \
    && cd /opt/python/lib/python3*/site-packages \
    && find . -type d \( -name tests -o -name include \) -prune -exec rm -r {} + \
    && find botocore/data -mindepth 1 -maxdepth 1 -type d ! -name s3 -exec rm -r {} +

FROM ${BASE}
# Events come from outside and the files of the image are nobody's renders, so no local path is read until a folder is named.
ENV PATH=/opt/python/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    EXR_LOCAL_ROOTS=""
COPY --from=packages /opt/python /opt/python
WORKDIR /app
COPY main.py vast_schemas.py vast_db_persistence.py ./
COPY exr_inspector exr_inspector
# Nothing is written at run time, so what can be compiled is compiled now.
RUN python -m compileall -q .

USER 10001:10001
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s CMD ["python", "-c", \
    "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/readiness', timeout=2)"]
ENTRYPOINT ["python", "-m", "exr_inspector.function.host", "--host", "0.0.0.0", "--log-format", "json"]
