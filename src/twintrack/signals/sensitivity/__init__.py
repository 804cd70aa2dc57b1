"""What in a text may not leave: findings, how sure they are, and the class they make of it."""
