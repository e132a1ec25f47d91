"""The object store of the endpoint: S3 over a folder."""

from .service import ObjectChange, ObjectStore

__all__ = ["ObjectChange", "ObjectStore"]
