"""What renderers, compositors, cameras and converters write into headers: a module for each family, a table of names in each."""
