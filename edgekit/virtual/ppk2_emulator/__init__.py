"""A Nordic PPK2 that is a process: the wire protocol of the real one, fed by a twin's states.

It imports nothing of edgekit outside this package and shares no code with the driver, so that a
misreading of the protocol in one does not hide in the other.
"""
