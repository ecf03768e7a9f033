"""What the tests share: exact comparison, small graphs and the executors."""
