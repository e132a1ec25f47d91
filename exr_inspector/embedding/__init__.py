"""The two deterministic vectors of a payload."""
