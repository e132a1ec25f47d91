"""exr-inspector: OpenEXR headers into VAST DataBase. The folders are the layers; docs/ARCHITECTURE.md draws them."""

__version__ = "1.0.0"
