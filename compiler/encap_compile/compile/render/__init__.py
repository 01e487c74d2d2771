"""From the program to the text of the C. Only this package knows Jinja."""
