# The function behind HTTP, for Knative platforms other than VAST, and for laptops. VAST's own builder does not read this file:
# `vastde functions build` makes its image from the same folders and requirements.txt. What does not ship, .dockerignore keeps out.
#   docker run -p 8080:8080 --env-file settings.env IMAGE
FROM python:3.12-slim

ENV PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    EXR_LOCAL_ROOTS=""
# Events come from outside and the files of the image are nobody's renders, so no local path is read until a folder is named.

WORKDIR /app
COPY requirements.txt constraints.txt ./
RUN pip install -c constraints.txt -r requirements.txt cloudevents uvicorn \
    && useradd --system --uid 10001 --no-create-home inspector

COPY main.py vast_schemas.py vast_db_persistence.py ./
COPY exr_inspector exr_inspector

USER 10001
EXPOSE 8080
ENTRYPOINT ["python", "-m", "exr_inspector.function.host", "--host", "0.0.0.0"]
