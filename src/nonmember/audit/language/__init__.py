"""Audits of language models."""
