"""A classifier whose answers are those to regenerated inputs."""
