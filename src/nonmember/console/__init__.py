"""What the terminal shows: progress while an audit works, and what it found.

Nothing is imported here: what shows a finished run does not wait for PyTorch.
"""
