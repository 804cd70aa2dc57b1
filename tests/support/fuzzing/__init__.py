"""What fuzz tests share.

campaign.py   many cases from one seed; a failing one is made small and written down
inside.py     a gateway without sockets: the real protocol objects, fed with bytes
bodies.py     JSON bodies and what may be wrong with them
answers.py    what providers say and how it may be spoilt
files.py      configuration files and what hands and editors do to them
"""
