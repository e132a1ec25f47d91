"""Statistics of pixels, read in bands and decoded by the OpenEXR library."""
