"""The integer graph: types, checker, reference interpreter and text form."""
