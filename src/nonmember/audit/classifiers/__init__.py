"""Audits of classifiers: of images, tables and texts."""
