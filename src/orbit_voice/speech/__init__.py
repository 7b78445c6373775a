"""Text to speech behind one interface, with a prompt cache."""

from orbit_voice.speech.interface import Prompt, Speech

__all__ = ["Prompt", "Speech"]
