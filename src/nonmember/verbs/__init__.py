"""What a user can do, as functions of ``nonmember``; the command line says the same words.

Nothing is imported here: what asks no model does not wait for PyTorch.
"""
