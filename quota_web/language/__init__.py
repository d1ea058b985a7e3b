"""What each language needs beside English: its messages, how it writes numbers and times, and which
one a reader is shown. Words themselves stand where they are said, in English.
"""
