"""One module for each concern. Each turns a window into finds; `scan.py` scores and joins them."""
