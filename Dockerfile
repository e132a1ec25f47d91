# The function behind function_host.py, for Knative platforms other than VAST, and for laptops. VAST's own builder does not read this
# file: `vastde functions build` makes its image from the same modules and requirements.txt.
#   docker run -p 8080:8080 --env-file settings.env IMAGE
FROM python:3.12-slim

ENV PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    EXR_LOCAL_ROOTS=""
# Events come from outside and the files of the image are nobody's renders, so no local path is read until a folder is named.

WORKDIR /app
COPY requirements.txt requirements-host.txt constraints.txt ./
RUN pip install -r requirements.txt -r requirements-host.txt -c constraints.txt \
    && useradd --system --uid 10001 --no-create-home inspector

COPY main.py vast_inspection.py exr_errors.py exr_limits.py exr_attributes.py exr_naming.py exr_header.py exr_layout.py \
     exr_chunks.py exr_consistency.py exr_cryptomatte.py exr_layers.py exr_production.py exr_payload.py exr_text.py exr_embedding_cache.py exr_embedding_text.py exr_embedding_facts.py \
     exr_embedding_tokens.py exr_embeddings.py \
     exr_bands.py exr_pixel_worker.py exr_pixel_decode.py exr_pixel_plan.py exr_pixel_sampling.py exr_pixel_tally.py exr_pixel_stats.py \
     exr_policy.py exr_checks.py exr_validation.py \
     vast_context.py vast_settings.py vast_events.py vast_objects.py vast_schemas.py vast_rows.py exr_roles.py \
     vast_errors.py vast_plan.py vast_session.py vast_values.py vast_provision.py vast_upsert.py vast_migrations.py vast_db_persistence.py \
     ./

COPY policies policies
COPY function_host.py function_host_events.py ./

USER 10001
EXPOSE 8080
ENTRYPOINT ["python", "function_host.py", "--host", "0.0.0.0"]
