from support.fixtures import claude, mine, other, outside

__all__ = ["claude", "mine", "other", "outside"]
