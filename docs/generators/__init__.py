"""The pages of docs/ that are made from the code."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
"""The project's folder."""
