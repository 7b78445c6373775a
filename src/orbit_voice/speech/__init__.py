"""Text to speech behind one interface, with a prompt cache."""
