"""Bytes in, facts out: what an OpenEXR header and its chunk tables say. Knows OpenEXR alone."""
