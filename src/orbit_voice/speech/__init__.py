"""Text to speech behind one interface, with a prompt cache.

Importing this package loads no model and no array library: those belong to the speech program,
a process of its own.
"""

from orbit_voice.speech.cache import PromptCache
from orbit_voice.speech.interface import Prompt, Speech, SpeechEngine, Voice
from orbit_voice.speech.worker import HibariWorker, WorkerLimits

__all__ = [
    "HibariWorker",
    "Prompt",
    "PromptCache",
    "Speech",
    "SpeechEngine",
    "Voice",
    "WorkerLimits",
]
