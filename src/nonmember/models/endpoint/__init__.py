"""A language model behind an OpenAI-compatible endpoint: asked over HTTP, never loaded."""

from nonmember.models.endpoint.remote import Endpoint, connect
from nonmember.models.endpoint.service import Service

__all__ = ["Endpoint", "Service", "connect"]
