"""The contracts room: the files that packages agree on, checked; and the check of a whole plan with them."""
