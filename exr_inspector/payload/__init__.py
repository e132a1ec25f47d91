"""Facts to the published document: paths, layers, roles, writers, and the JSON that everything else is made from."""
