"""Conditions on a run's figures, for machines: parsed, judged, and told in one line each."""
