"""What is read from a request before choosing: tokens, language, task, complexity, class. Pure and in process."""
