"""SIP header fields as frozen values with `parse` and `__str__`."""
