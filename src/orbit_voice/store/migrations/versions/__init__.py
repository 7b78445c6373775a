"""One module per revision; each is left alone once it was released."""
