"""What defenses do to the records of a training, and what is seen of it afterwards."""
