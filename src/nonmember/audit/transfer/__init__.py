"""Audits of fine-tuned classifiers: who was in the data that their ancestor was trained on?"""
