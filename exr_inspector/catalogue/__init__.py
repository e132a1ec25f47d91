"""What people ask of the stored rows: questions, similarity, the report."""
