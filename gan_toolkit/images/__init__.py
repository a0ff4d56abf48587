"""Image files to pixels, for every data set that is made of them.

decode.py    one file's bytes to pixels; every policy about them stands here
archives.py  zip and tar, read member by member, and everything that is refused of them
files.py     the image files of one place, whatever kind of place it is
layout.py    splits and classes, from names alone
threads.py   many files at once, in order
"""
