"""Other people's libraries: each module needs one of them, and nothing else imports it."""
